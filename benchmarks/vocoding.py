"""Figures of a vocoder's recordings beside Griffin-Lim's, of whole held-out clips.

    python launch.py --workdir=runs/vocoder --mode=translate --input=data/speech/test \
--output=made
    python -m benchmarks.vocoding data/speech/test made

Each clip is compared with the translation of the same name, and with what 32 iterations of the fast
algorithm of Griffin and Lim make of its own mels. Printed are means over the clips and, after +-,
their standard errors; after that the difference of the two ways, clip by clip.
"""

import argparse
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data import sounds
from gan_jax.evaluation import sounds as figures
from gan_jax.modalities import waveforms
from gan_jax.restoration import sounds as restoration

RATE, HOP = 16_000, 256


def griffin_lim(samples: np.ndarray) -> np.ndarray:
    """What is heard of the mels of int16 [samples, 1], as long as it was."""
    padded = np.pad(samples, ((0, -len(samples) % HOP), (0, 0)))
    rng = jax.random.split(jax.random.key(0), 1)  # of which nothing is drawn
    mels = restoration.log_mel(rng, waveforms.encode(padded)[None])
    made = jnp.asarray(restoration.griffin_lim(mels, iterations=32))[0, : len(samples)]
    return np.asarray(waveforms.decode(made))


def measured(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """The figures of one clip."""
    asked = real[None], fake[None], waveforms.encode, RATE, True
    found: dict[str, float] = {}
    for figure in (figures.mel_distances, figures.stft_distance, figures.pesq):
        found |= figure(*asked)
    return found


def summary(values: np.ndarray) -> str:
    return f'{values.mean():8.3f} +- {values.std(ddof=1) / np.sqrt(len(values)):.3f}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('clips', type=pathlib.Path)
    parser.add_argument('made', type=pathlib.Path)
    parser.add_argument('--num', type=int, default=None, help='of the clips, the first; all')
    args = parser.parse_args()
    read = sounds.reader('clips')
    rows: dict[str, list[dict[str, float]]] = {'vocoder': [], 'Griffin-Lim': []}
    files = sounds.files(str(args.clips))[: args.num]
    for file in files:
        place = args.made / file.relative_to(args.clips)
        real, fake = (sounds.quantized(read(x, RATE))[:, None] for x in (file, place))
        rows['vocoder'].append(measured(real, fake))
        rows['Griffin-Lim'].append(measured(real, griffin_lim(real)))
    print(f'{len(files)} clips')
    for name in rows['vocoder'][0]:
        ways = {way: np.array([row[name] for row in found]) for way, found in rows.items()}
        words = [f'{way} {summary(values)}' for way, values in ways.items()]
        words.append(f'difference {summary(ways["vocoder"] - ways["Griffin-Lim"])}')
        print(f'{name:24}', ' | '.join(words))


if __name__ == '__main__':
    main()
