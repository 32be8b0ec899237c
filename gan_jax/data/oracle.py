"""SeqGAN's oracle: a random LSTM whose samples are the data, so that their law is known.

Source: SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., 2017), section
4.1: all parameters are normal, N(0, 1); sequences have 20 tokens of a vocabulary of 5,000. Figures
of one oracle cannot be compared with those of another: how much a random LSTM leaves to chance
differs from seed to seed, and from one way of drawing to another.
"""

from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.errors import NoSplit, UserError

KIND, NAME = 'tokens', 'oracle'
VOCABULARY, LENGTH, WIDTH = 5000, 20, 32
DRAWN = {'train': (10_000, 0), 'test': (10_000, 1)}  # how many, and of which seed
PART = 1000  # sequences at a time
State = tuple[np.ndarray, np.ndarray]


class Oracle(NamedTuple):
    """An LSTM with an embedding; the sequence begins as if token 0 had been read.

    Attributes:
      vectors: [vocabulary, width].
      kernel: of a token's vector and the state, to the gates i, f, g, o: [2 width, 4 width].
      bias: [4 width].
      out_kernel: [width, vocabulary].
      out_bias: [vocabulary].
    """

    vectors: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray
    out_kernel: np.ndarray
    out_bias: np.ndarray

    def steps(self, num: int) -> Generator[np.ndarray, np.ndarray, None]:
        """Logits of the next tokens, 0 at most, [num, vocabulary]; sent are those that came."""
        tokens = np.zeros(num, np.int64)
        hidden = cell = np.zeros((num, self.out_kernel.shape[0]), np.float32)
        while True:
            given = np.concatenate([self.vectors[tokens], hidden], axis=1)
            i, f, g, o = np.split(given @ self.kernel + self.bias, 4, axis=1)
            cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
            hidden = _sigmoid(o) * np.tanh(cell)
            logits = hidden @ self.out_kernel + self.out_bias
            tokens = yield logits - logits.max(axis=1, keepdims=True)

    def sample(self, num: int, length: int, seed: int) -> np.ndarray:
        """Sequences, int32 [num, length]."""
        rng, parts = np.random.default_rng(seed), []
        for start in range(0, num, PART):
            some = min(PART, num - start)
            walk, tokens = self.steps(some), np.zeros((some, length), np.int32)
            logits = next(walk)
            for step in range(length):
                sums = np.cumsum(np.exp(logits), axis=1)
                below = sums <= rng.random((some, 1)) * sums[:, -1:]
                tokens[:, step] = np.minimum(below.sum(axis=1), sums.shape[1] - 1)
                logits = walk.send(tokens[:, step])
            parts.append(tokens)
        return np.concatenate(parts)

    def log_likelihood(self, tokens: np.ndarray) -> np.ndarray:
        """log p(y_t | y_<t) of sequences [n, length], in nats, of the same shape."""
        found = np.zeros(tokens.shape, np.float32)
        for start in range(0, len(tokens), PART):
            part = tokens[start : start + PART]
            walk = self.steps(len(part))
            logits = next(walk)
            for step in range(part.shape[1]):
                own = np.take_along_axis(logits, part[:, step, None].astype(np.int64), 1)[:, 0]
                norm = np.log(np.exp(logits).sum(axis=1))
                found[start : start + PART, step] = own - norm
                logits = walk.send(part[:, step])
        return found


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def make(seed: int, vocabulary: int = VOCABULARY, width: int = WIDTH) -> Oracle:
    """The oracle of a seed, its parameters N(0, 1)."""
    rng = np.random.default_rng(seed)
    shapes = (
        (vocabulary, width), (2 * width, 4 * width), (4 * width,), (width, vocabulary),
        (vocabulary,),
    )  # fmt: skip
    return Oracle(*(rng.standard_normal(x).astype(np.float32) for x in shapes))


def named(dataset: str) -> bool:
    """Whether a data set's name is 'oracle' or 'oracle:SEED'."""
    return dataset == NAME or dataset.startswith(f'{NAME}:')


def load(
    dataset: str, split: str, length: int | None = None, vocabulary: int | None = None
) -> Dataset:
    """Sequences of the oracle that a config names.

    Args:
      dataset: 'oracle', which is that of seed 0, or 'oracle:SEED'.
      split: 'train' or 'test', 10,000 sequences each.
      length: tokens of a sequence; None is 20.
      vocabulary: how many different tokens there are; None is 5,000.

    Raises:
      UserError: if the seed is none, or there is no such split.
    """
    told = dataset.removeprefix(NAME).removeprefix(':') or '0'
    if not told.isdecimal() or (dataset != NAME and dataset == f'{NAME}:'):
        raise UserError(f'config.dataset={dataset}: a seed is a whole number, as in oracle:7')
    if split not in DRAWN:
        raise NoSplit(
            f'config.data.split={split!r} is no split of {dataset}; valid: {", ".join(DRAWN)}'
        )
    num, draw = DRAWN[split]
    steps = LENGTH if length is None else length
    law = {'seed': int(told), 'vocabulary': vocabulary or VOCABULARY}
    tokens = make(**law).sample(num, steps, draw)
    fitted = {'vocabulary': [], 'size': law['vocabulary'], 'unit': 'numbers', 'oracle': law}
    labels = np.zeros(num, np.int32)
    return Dataset(dataset, (steps,), ('',), labels, tokens.__getitem__, kind=KIND, fitted=fitted)
