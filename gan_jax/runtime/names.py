"""The names of figures: made and read here, a value with fields everywhere else."""

import re
from typing import NamedTuple

EVALUATION = 'eval'  # the turn of what evaluations find

_NAME = re.compile(
    r'(?:(?P<turn>[^/\[\]]+)/)?(?P<figure>(?!stderr$|seed_\d+)[^/\[\]]+)(?:\[(?P<network>[^\]]*)\])?'
    r'(?:/seed_(?P<seed>\d+))?(?P<stderr>/stderr)?'
)


class Name(NamedTuple):
    """What a logged number is.

    Attributes:
      figure: 'loss', 'real_logit', 'frechet_distance', ...
      turn: the turn that it is of, 'eval' for an evaluation's; empty for none.
      network: in whose features it was taken; empty for none.
      seed: of several seeds that one's; None for the only one's or the mean.
      stderr: whether it is the standard error of that figure.
    """

    figure: str
    turn: str = ''
    network: str = ''
    seed: int | None = None
    stderr: bool = False

    def __str__(self) -> str:
        """Its form in the log: 'eval/frechet_distance[mnist-classifier]/seed_3'."""
        turn = f'{self.turn}/' if self.turn else ''
        network = f'[{self.network}]' if self.network else ''
        seed = '' if self.seed is None else f'/seed_{self.seed}'
        return f'{turn}{self.figure}{network}{seed}' + ('/stderr' if self.stderr else '')

    @property
    def main(self) -> 'Name':
        """The figure that this is a seed's value or the standard error of."""
        return self._replace(seed=None, stderr=False)


def parse(text: str) -> Name:
    """The name that has this form; of a text of another form all of it is the figure."""
    match = _NAME.fullmatch(text)
    if match is None:
        return Name(text)
    seed = match['seed']
    return Name(
        match['figure'],
        match['turn'] or '',
        match['network'] or '',
        None if seed is None else int(seed),
        match['stderr'] is not None,
    )
