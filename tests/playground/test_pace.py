from gan_jax.playground.pace import DISPATCH, MOST_STEPS, Pace


def played(speed, seconds, tick, cost=1e-5):
    """How many moves there are in so many seconds of a loop that comes round every `tick`."""
    pace, total, now = Pace(), 0, 100.0
    while now < 100 + seconds:
        num = pace.due(now, speed)
        if num:
            pace.took(num, num * cost, tick)
        total, now = total + num, now + tick
    return total


def test_so_many_a_second():
    assert abs(played('60', 10, 0.004) - 600) < 10
    assert abs(played('300', 10, 0.02) - 3000) < 40
    assert abs(played('slow', 8, 0.004) - 10) <= 1


def test_as_fast_as_it_can_fills_a_dispatch_and_no_more():
    pace = Pace()
    for _ in range(400):
        pace.took(10, 0.02, 0.02)  # 2 ms each
    assert pace.due(1.0, 'fast') in (int(DISPATCH / 0.002), int(DISPATCH / 0.002) - 1)
    assert abs(pace.rate - 500) < 50
    for _ in range(100):
        pace.took(1, 1e-9, 1e-9)
    assert pace.due(1.0, 'fast') == MOST_STEPS
    for _ in range(100):
        pace.took(1, 10.0, 10.0)
    assert pace.due(1.0, 'fast') == 1


def test_what_was_missed_is_not_made_up_for():
    pace = Pace()
    assert pace.due(0.0, '60') == 1  # the first at once
    assert pace.due(1000.0, '60') <= 16
    assert pace.due(1000.0, '60') <= 1
    pace.rest()
    assert pace.rate == 0.0
    assert pace.due(2000.0, '60') == 1
