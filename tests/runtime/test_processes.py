"""What processes say to each other: each function here is called by two of them."""

import numpy as np
import pytest
import several

from gan_jax.runtime import processes

CALLS = []


def square(shared, x):
    """Of each example by itself; it notes how many it was given."""
    CALLS.append(len(x))
    return {'square': x**2 + shared, 'wide': np.stack([x, x], axis=1)}


def fail_in(which, error):
    if processes.index() == which:
        raise error
    return 'no'


def caught(function):
    try:
        function()
    except ValueError as error:
        return str(error)
    return 'nothing'


class Unpicklable(Exception):
    """It takes two arguments and keeps one."""

    def __init__(self, one, other):
        super().__init__(one)


def speak():
    """All that two processes can say to each other."""
    me = processes.index()
    assert processes.count() == 2
    assert processes.is_first() == (me == 0)
    assert processes.share(5) == (slice(0, 2), slice(2, 5))[me]
    assert processes.on_first(lambda: ('of', me)) == ('of', 0)
    assert caught(lambda: processes.on_first(lambda: fail_in(0, ValueError('a')))) == 'a'
    assert caught(lambda: processes.together(lambda: fail_in(0, ValueError('b')))) == 'b'
    assert caught(lambda: processes.together(lambda: fail_in(1, ValueError('c')))) == 'c'
    assert processes.together(lambda: me + 7) == me + 7
    with pytest.raises((Unpicklable, RuntimeError)[me], match=('^x$', '^Unpicklable: x$')[me]):
        processes.on_first(lambda: fail_in(0, Unpicklable('x', 'y')))
    # By itself, the first process does everything; nobody waits for the other.
    assert processes.on_first(lambda: processes.gather(np.arange(2))).tolist() == [0, 1]
    assert processes.on_first(lambda: processes.on_first(lambda: me)) == 0
    assert processes.in_all(True)
    assert not processes.in_all(me == 0)

    third = processes.gather(np.array([1 / 3] * (2 - me)))
    assert (third.dtype, third.tolist()) == (np.float64, [1 / 3] * 3)
    assert processes.gather(np.full((1, 2), me > 0)).tolist() == [[False] * 2, [True] * 2]
    assert processes.everyones('x' * (1 + me)) == ['x', 'xx']

    spread = processes.spread(square)
    for num in (5, 4, 1):
        x = np.arange(num, dtype=np.float64)
        found = spread(0.5, x)
        assert found['square'].tolist() == (x**2 + 0.5).tolist()
        assert found['wide'].tolist() == [[y, y] for y in x]
    assert CALLS == [3, 2, 1]
    broken = processes.spread(lambda shared, x: fail_in(1, ValueError('d')))
    assert caught(lambda: broken(None, np.zeros(4))) == 'd'

    done = []
    found = processes.shared_out(lambda x: done.append(x) or x * 10, range(11))
    assert list(found) == [10 * x for x in range(11)]
    assert done == ([0, 1, 2, 3, 8], [4, 5, 6, 7, 9, 10])[me]

    made = processes.of_first(lambda: me)
    if me:
        with made.any(1, name=2), made():
            made = 0
    assert made == 0
    print('said all')


def test_processes_speak_to_each_other():
    for output in several.play(speak, devices=2):
        assert 'said all' in output


def test_one_process_speaks_to_nobody():
    assert processes.on_first(lambda: 1) == processes.together(lambda: 1) == 1
    assert processes.gather('tree') == 'tree'
    assert processes.spread(lambda shared, x: (shared, x))(1, 'x') == (1, 'x')
    assert list(processes.shared_out(str, [1, 2])) == ['1', '2']
    assert processes.everyones(3) == [3]
    assert processes.in_all(True)
    assert not processes.in_all(False)
    assert processes.of_first(lambda: 5) == 5
