"""Which part of a data set a process reads, where several play one run; nothing here knows how."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar('T')


def _alone(value: Any) -> list[Any]:
    return [value]


@dataclasses.dataclass(frozen=True)
class Share:
    """One process's part of everything, contiguous; by default there is one process.

    Attributes:
      index: which process this is, from 0.
      count: how many there are.
      gather: value -> each process's value, in their order; all of them call it.
    """

    index: int = 0
    count: int = 1
    gather: Callable[[Any], list[Any]] = dataclasses.field(default=_alone, repr=False)

    def of(self, num: int) -> slice:
        """This process's part of so many things; the parts differ by one at most."""
        return slice(self.index * num // self.count, (self.index + 1) * num // self.count)

    def places(self, parts: Sequence[int]) -> np.ndarray:
        """This process's part of each of several stretches that lie behind one another."""
        ends = np.cumsum(parts)
        shares = [self.of(num) for num in parts]
        return np.concatenate(
            [np.arange(x.start, x.stop) + end - num
             for x, num, end in zip(shares, parts, ends, strict=True)]
        )  # fmt: skip

    def everyones(self, function: Callable[[], T]) -> list[T]:
        """What function() gives each process, in their order.

        Raises:
          Exception: in all of them, what it raises in the first process where it does.
        """
        if self.count == 1:
            return [function()]
        outcome: tuple[Any, Exception | None] = (None, None)
        try:
            outcome = function(), None
        except Exception as error:
            outcome = None, error
        outcomes = self.gather(outcome)
        for _, raised in outcomes:
            if raised is not None:
                raise raised
        return [value for value, _ in outcomes]

    def agreed(self, function: Callable[[], T]) -> T:
        """function(), of which all processes get the same; an error of one is raised in all."""
        values: list[T] = []
        self.everyones(lambda: values.append(function()))
        return values[0]


ALONE = Share()
