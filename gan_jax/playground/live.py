"""The training that goes on behind the page: one thread, and the newest of what is to be seen.

Nothing is queued without a bound: a page is given the newest frame, the newest settings wait in
one place for the thread, of curves the last HISTORY points are kept. So memory does not grow.
"""

import base64
import collections
import json
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from gan_jax.errors import UserError, nearest, one_line
from gan_jax.playground import program as program_lib
from gan_jax.playground import sets, settings
from gan_jax.playground.pace import SPEEDS, Pace

FRAMES = 12  # at most so many a second
HISTORY = 600  # points of the curves, the last ones
SHOWN = 400  # real points on the page
UNIT = 8192  # to a coordinate's 1 on its way to the page, in 16 bits
ABSENT = 10.0  # seconds without a page after which training rests
PLACES = ('fake', 'manifold', 'arrows')
MOVES = ('step', *program_lib.ONLY)
ACTS = ('play', 'pause', 'restart', *MOVES, *SPEEDS)


class Orders(NamedTuple):
    """What the thread is to do next.

    Attributes:
      chosen: new settings, or None.
      restart: whether all players begin again.
      moves: single moves, of MOVES.
      speed: at which it plays, or None.
    """

    chosen: settings.Chosen | None
    restart: bool
    moves: tuple[str, ...]
    speed: str | None


class Live:
    """What is trained, and what pages see of it.

    The program, the state and the pace are the thread's; all else whoever's who holds the lock.
    """

    def __init__(self, base: Mapping[str, Any]):
        """Builds what the page begins with; compiles nothing yet.

        Args:
          base: the config of the command line.

        Raises:
          UserError: if it cannot be played here.
        """
        self.base = base
        self._lock, self._building = threading.Condition(), threading.Lock()
        self._chosen = settings.choose(base, {})
        self._wanted: settings.Chosen | None = self._chosen
        self._moves: collections.deque[str] = collections.deque(maxlen=8)
        self._restart = self._closed = False
        self._status: dict[str, Any] = {'playing': False, 'speed': '60', 'busy': '', 'note': ''}
        self._begun = 0  # how often, so that pages know when to empty their curves
        self._frame, self._text, self._version = 'null', '', 0
        self._curves: collections.deque[list[Any]] = collections.deque(maxlen=HISTORY)
        self._seen = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._program: program_lib.Program
        self._ready: set[str] = set()  # which of its programs are compiled
        self._taken: settings.Chosen
        self._state: Any = None
        self._points = self._centers = np.zeros((0, 2), np.float32)
        self._losses: dict[str, Any] = {}
        self._step, self._moved = 0, program_lib.BOTH
        self._pace, self._drawn, self._mover = Pace(), 0.0, 0
        self._played = time.monotonic()

    # ---- What pages ask --------------------------------------------------------------------------

    def start(self) -> None:
        """Lets the thread begin."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, after the dispatch or the compilation that it is in.

        However long that takes: a thread that computes while Python ends aborts the process.
        """
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def closed(self) -> bool:
        """Whether it is to end."""
        return self._closed

    def act(self, name: Any) -> None:
        """Does one of ACTS: a move is made after a pause.

        Raises:
          UserError: if it is none of them.
        """
        if name not in ACTS:
            raise UserError(
                f'{str(name)[:80]!r} is not known; did you mean {nearest(str(name)[:80], ACTS)!r}? '
                f'(all: {", ".join(ACTS)})'
            )
        with self._lock:
            if name in SPEEDS:
                self._publish(speed=name)
            elif name == 'restart':
                self._restart = True
                self._publish(note='')
            else:
                self._publish(playing=name == 'play', note='')
                if name in MOVES:
                    self._moves.append(name)
            self._lock.notify_all()

    def change(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Takes new settings; what is missing is as on the command line.

        Returns:
          {'compiles': whether a new program is needed, 'settings': all of them}.

        Raises:
          UserError: if any of it is wrong; all stays as it was then.
        """
        settings.check(self.base, words)  # at once, even while others are built
        with self._building:
            before = self._chosen
            chosen = settings.choose(self.base, words, before)
            with self._lock:
                self._chosen = self._wanted = chosen
                self._lock.notify_all()
        compiles = chosen.experiment is not before.experiment
        return {'compiles': compiles, 'settings': chosen.words}

    def hello(self) -> dict[str, Any]:
        """What a page that opens must know: controls, sets, settings, and the curves so far."""
        with self._lock:
            return {
                'controls': [
                    {**x._asdict(), 'at_once': x.key in settings.AT_ONCE}
                    for x in settings.controls(self.base)
                ],
                'defaults': settings.defaults(self.base),
                'settings': self._chosen.words,
                'sets': [*sets.SETS, sets.DRAWN],
                'speeds': [*SPEEDS],
                'half': sets.HALF,
                'levels': sets.LEVELS,
                'most_modes': sets.MOST_MODES,
                'unit': UNIT,
                'resolution': program_lib.RESOLUTION,
                'net': program_lib.NET,
                'history': [*self._curves],
            }

    def wait(self, version: int, seconds: float) -> tuple[int, str]:
        """The newest frame as JSON with its version, once that is another one, or after a time.

        Args:
          version: of the frame that the page has; 0 for none.
          seconds: how long it waits at most.
        """
        with self._lock:
            self._seen = time.monotonic()
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._closed or self._version > version, seconds)
            self._seen = time.monotonic()
            return self._version, self._text

    def _publish(self, **status: Any) -> None:
        """Has pages see a changed status and the newest frame; the lock is held."""
        self._status |= status
        about = {'begun': self._begun, 'settings': self._chosen.words}
        words = json.dumps({**self._status, **about})
        self._version += 1
        self._text = f'{{"status": {words}, "frame": {self._frame}}}'
        self._lock.notify_all()

    # ---- The thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            orders = self._orders()
            if orders is None:
                return
            try:
                self._obey(orders)
            except Exception as error:  # of whatever library: pages are told, and can go on
                logging.exception('the playground paused')
                with self._lock:
                    self._publish(playing=False, busy='', note=f'paused: {one_line(error)}')

    def _orders(self) -> Orders | None:
        """What to do next, once there is something; None at the end."""
        with self._lock:
            while not self._closed:
                absent = time.monotonic() - self._seen > ABSENT
                playing = self._status['playing'] and not absent and self._state is not None
                if self._wanted or self._restart or self._moves or playing:
                    speed = str(self._status['speed']) if playing else None
                    orders = Orders(self._wanted, self._restart, tuple(self._moves), speed)
                    self._wanted, self._restart = None, False
                    self._moves.clear()
                    return orders
                self._pace.rest()
                self._lock.wait(1.0)
        return None

    def _obey(self, orders: Orders) -> None:
        if orders.chosen is not None:
            self._take(orders.chosen)
        if orders.restart:
            self._begin()
        for name in orders.moves:
            self._move(program_lib.BOTH if name == 'step' else name, 1)
        asked = bool(orders.chosen or orders.restart or orders.moves)
        moved = orders.speed is not None and self._play(orders.speed)
        now = time.monotonic()
        if asked or (moved and now - self._drawn >= 1 / FRAMES):
            self._drawn = now
            self._show()

    def _play(self, speed: str) -> bool:
        """Makes the moves that are due, in slow motion one player's; whether there were any."""
        now = time.monotonic()
        num = self._pace.due(now, speed)
        if not num:
            time.sleep(0.004)
            return False
        turn = program_lib.BOTH
        if speed == 'slow':
            turn, self._mover, self._drawn = program_lib.ONLY[self._mover], 1 - self._mover, 0.0
        self._move(turn, num)
        end = time.monotonic()
        self._pace.took(num, end - now, end - self._played)
        self._played = end
        return True

    def _take(self, chosen: settings.Chosen) -> None:
        """Compiles what new settings need, and keeps the players that fit."""
        new = self._state is None or chosen.experiment is not self._taken.experiment
        self._taken, names = chosen, []
        self._points, self._centers = sets.draw(chosen.mixture), sets.padded(chosen.mixture)
        if new:
            with self._lock:
                self._publish(busy='compiling', note='')
            before, self._state = self._state, None  # none if this fails
            jax.clear_caches()  # or each program that was ever needed would stay
            self._program, self._ready = program_lib.compiled(chosen.experiment), set()
            names = self._begin(before)
        else:
            self._set_rates()
        with self._lock:
            self._publish(note=f'kept: {", ".join(names)}' if names else '')

    def _begin(self, before: Any = None) -> list[str]:
        """Begins again, with the players of a state that fit; gives their names."""
        names: list[str] = []
        state = self._program.experiment.begin()
        if before is not None:
            state, names = program_lib.kept(before, state)
        if not names:
            self._losses, self._step = {}, 0
            with self._lock:
                self._curves.clear()
                self._begun += 1
        self._state = state
        self._set_rates()
        return names

    def _set_rates(self) -> None:
        built, rates = self._program.built, self._taken.rates
        factors = {name: rates[name] / built[name] for name in rates}
        self._state = program_lib.set_factors(self._state, factors)
        self._move(program_lib.BOTH, 0)  # compiles if need be, and has the state in its place

    def _move(self, turn: str, num: int) -> None:
        """So many steps of both players or one; waits for them.

        Raises:
          FloatingPointError: if a loss is not finite.
        """
        first = turn not in self._ready
        if first:
            self._ready.add(turn)
            with self._lock:
                self._publish(busy='compiling')
        run, self._moved = self._program.runs[turn], turn
        self._state, losses, counts = run(self._state, self._points, np.int32(num))
        losses, counts, self._step = jax.device_get((losses, counts, self._state.step))
        if first:
            with self._lock:
                self._publish(busy='')
        for name, values in losses.items():
            if not np.isfinite(values).all():
                raise FloatingPointError(
                    f'the loss of the {name} is not finite after {self._step} updates; restart'
                )
        self._losses |= {name: losses[name] for name in losses if counts[name]}

    def _show(self) -> None:
        """Looks at the players, and has pages see it."""
        mixture = self._taken.mixture
        found = self._program.show(
            self._state, self._points, self._centers, np.float32(mixture.stddev)
        )
        found = jax.device_get(found)
        num = len(found['fake'])
        losses = {name: np.broadcast_to(x, num) for name, x in self._losses.items()}
        replicas = [
            {
                'field': _packed(255 * found['field'][i], np.uint8),
                **{x: _packed(UNIT * found[x][i], np.int16) for x in PLACES},
                'losses': {name: round(float(x[i]), 4) for name, x in losses.items()},
                'modes': int(found['modes'][i]),
                'quality': round(float(found['quality'][i]), 3),
            }
            for i in range(num)
        ]
        frame = {
            'step': int(self._step),
            'moved': self._moved,
            'rate': round(self._pace.rate, 1),
            'num_modes': len(mixture.centers),
            'seeds': self._taken.experiment.seeds,
            'real': _packed(UNIT * self._points[:SHOWN], np.int16),
            'replicas': replicas,
        }
        point = [frame['step'], *([x['losses'], x['modes']] for x in replicas)]
        text = json.dumps(frame)
        with self._lock:
            if self._losses:
                self._curves.append(point)
            self._frame = text
            self._publish()


def _packed(values: np.ndarray, kind: type[np.integer]) -> str:
    """Numbers as little-endian integers in base 64, cut off at the ends of their kind."""
    ends = np.iinfo(kind)
    whole = np.clip(np.nan_to_num(np.round(values)), ends.min, ends.max)
    return base64.b64encode(whole.astype(np.dtype(kind).newbyteorder('<')).tobytes()).decode()
