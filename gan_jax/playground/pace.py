"""How many updates are due: so many a second, and never more at once than a page's frame bears."""

MOST = 0.25  # seconds that are made up for at most
SLOW = 0.8  # seconds between two moves in slow motion
SPEEDS = {'slow': 1 / SLOW, '60': 60.0, '300': 300.0, 'fast': float('inf')}  # moves a second
DISPATCH = 0.04  # seconds that a dispatch is to take at most
MOST_STEPS = 1000  # in one


class Pace:
    """Says how many moves are due, from what the last ones took.

    Attributes:
      rate: moves a second, a running mean; 0 before the first.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        self._owed, self._cost = 0.0, 1e-3
        self._last: float | None = None

    def rest(self) -> None:
        """Forgets the time that passes from now on."""
        self._last, self._owed, self.rate = None, 0.0, 0.0

    def due(self, now: float, speed: str) -> int:
        """How many moves to make now, perhaps none.

        Args:
          now: seconds of a clock.
          speed: one of SPEEDS.
        """
        passed = 0.0 if self._last is None else min(now - self._last, MOST)
        begun, self._last = self._last is None, now
        most = max(1, min(MOST_STEPS, int(DISPATCH / self._cost)))
        if SPEEDS[speed] == float('inf'):
            return most
        self._owed += 1.0 if begun else passed * SPEEDS[speed]
        num = min(int(self._owed), most)
        # What was not had in MOST seconds is not made up for later.
        self._owed = min(self._owed - num, max(1.0, MOST * SPEEDS[speed]))
        return num

    def took(self, num: int, seconds: float, since: float) -> None:
        """Counts moves.

        Args:
          num: how many.
          seconds: how long they took.
          since: seconds since those before them.
        """
        self._cost += 0.2 * (max(seconds, 1e-6) / num - self._cost)
        self.rate += min(1.0, since) * (num / max(since, 1e-6) - self.rate)
