import os

import pytest

from gan_jax.errors import UserError
from gan_jax.sweeps import slots
from gan_jax.sweeps.slots import Machine, Slot


@pytest.fixture
def has(monkeypatch):
    def has(*machine):
        monkeypatch.setattr(slots, 'machine', lambda: Machine(*machine))

    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    return has


def test_one_slot_is_the_machine_as_it_is(has):
    has('cpu', 8, 2)
    assert slots.divide(None) == [Slot({}, (), 8)]
    has('gpu', 1, 1)
    assert slots.divide(None) == [Slot({}, (), 1)]


def test_cores_are_shared_out_equally(has, monkeypatch):
    has('cpu', 1, 5)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {9, 2, 3, 4, 8})
    assert slots.divide(2) == [Slot({}, (2, 3), 1), Slot({}, (4, 8), 1)]


def test_each_accelerator_is_a_slot(has):
    has('gpu', 4, 4)
    assert slots.divide(None) == [
        Slot({'CUDA_VISIBLE_DEVICES': x}, (), 1) for x in ('0', '1', '2', '3')
    ]
    assert slots.divide(2) == [
        Slot({'CUDA_VISIBLE_DEVICES': '0,1'}, (), 2), Slot({'CUDA_VISIBLE_DEVICES': '2,3'}, (), 2)
    ]  # fmt: skip


def test_only_what_is_visible_is_shared_out(has, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,GPU-a')
    has('gpu', 2, 2)
    assert [x.environment['CUDA_VISIBLE_DEVICES'] for x in slots.divide(2)] == ['5', 'GPU-a']


def test_chips_are_shared_out_not_their_cores(has):
    has('tpu', 8, 4)
    first, second = slots.divide(2)
    assert first == Slot(
        {
            'TPU_VISIBLE_CHIPS': '0,1',
            'TPU_CHIPS_PER_PROCESS_BOUNDS': '1,2,1',
            'TPU_PROCESS_BOUNDS': '1,1,1',
            'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
        },
        (),
        4,
    )
    assert second.environment['TPU_VISIBLE_CHIPS'] == '2,3'


@pytest.mark.parametrize(
    ('machine', 'asked', 'said'),
    [
        (('cpu', 1, 2), 3, '--slots=3 do not fit the 2 cores of this machine; give one of 1, 2'),
        (('gpu', 8, 8), 3, 'the 8 devices of this machine; give one of 1, 2, 4, 8'),
        (('tpu', 4, 4), 8, 'the 4 chips of this machine; give one of 1, 2, 4'),
    ],
)
def test_slots_that_do_not_fit_are_refused(has, machine, asked, said):
    has(*machine)
    with pytest.raises(UserError) as error:
        slots.divide(asked)
    assert said in str(error.value)


def test_a_machine_is_asked_in_a_process_of_its_own(monkeypatch):
    monkeypatch.delenv('JAX_PLATFORMS')
    monkeypatch.setenv('XLA_FLAGS', '--xla_force_host_platform_device_count=3')
    monkeypatch.setattr(slots.process, 'cores', lambda: 7)
    assert slots.machine.__wrapped__() == Machine('cpu', 3, 7)


def test_where_jax_does_not_start_it_is_said(monkeypatch):
    monkeypatch.setenv('JAX_PLATFORMS', 'none')
    with pytest.raises(UserError, match='JAX cannot start on this machine'):
        slots.machine.__wrapped__()
