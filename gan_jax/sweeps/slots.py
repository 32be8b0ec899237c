"""Slots: the shares of this machine's devices that trials run on beside one another."""

import functools
import json
import os
import subprocess
import sys
from typing import NamedTuple

import jax

from gan_jax.errors import UserError
from gan_jax.runtime import process

CPU, GPU, TPU = 'cpu', 'gpu', 'tpu'
# Two cores of one chip are two devices to JAX, and only chips can be shared out.
PROBE = """
import json, jax
devices = jax.local_devices()
chips = {str(getattr(x, 'coords', x.id)) for x in devices}
print(json.dumps([devices[0].platform, len(devices), len(chips)]))
"""
GPUS, CHIPS = 'CUDA_VISIBLE_DEVICES', 'TPU_VISIBLE_CHIPS'
BOUNDS = {1: '1,1,1', 2: '1,2,1', 4: '2,2,1', 8: '2,4,1'}  # of so many chips that are neighbours


class Machine(NamedTuple):
    """What this machine computes on.

    Attributes:
      platform: as JAX calls it.
      devices: how many JAX sees.
      units: how many can be shared out: chips of TPUs, cores where there are no accelerators.
    """

    platform: str
    devices: int
    units: int


class Slot(NamedTuple):
    """A share of the machine.

    Attributes:
      environment: by which a process keeps to its devices.
      cores: those that it may use; () for all.
      devices: how many JAX will see.
    """

    environment: dict[str, str]
    cores: tuple[int, ...]
    devices: int


@functools.cache
def machine() -> Machine:
    """This machine, asked by a process of its own: one that has seen a TPU keeps it from others."""
    cores = process.cores()
    if os.environ.get('JAX_PLATFORMS') == CPU:
        return Machine(CPU, 1, cores)
    command = [sys.executable, '-c', PROBE]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, timeout=300)
        platform, devices, units = json.loads(printed.stdout.splitlines()[-1])
    except (ValueError, IndexError, subprocess.TimeoutExpired):
        raise UserError(
            "JAX cannot start on this machine; see what python -c 'import jax; jax.devices()' says"
        ) from None
    return Machine(platform, devices, cores if platform == CPU else units)


def divide(slots: int | None) -> list[Slot]:
    """Equal shares of the machine, so that a trial may go on in another slot as it would have.

    Args:
      slots: how many; None for one per accelerator, or one alone on a CPU.

    Raises:
      UserError: if there are not so many devices, or they cannot be shared out so.
    """
    has = machine()
    num = slots or (1 if has.platform == CPU else has.units)
    each = has.units // num
    what = {CPU: 'cores', TPU: 'chips'}.get(has.platform, 'devices')
    valid = [x for x in range(1, has.units + 1) if _can_be(has, x)]
    if num not in valid:
        raise UserError(
            f'--slots={num} do not fit the {has.units} {what} of this machine; give one of '
            f'{", ".join(map(str, valid))}'
        )
    shares = [range(i * each, (i + 1) * each) for i in range(num)]
    if num == 1:
        return [Slot({}, (), has.devices)]
    if has.platform == CPU:
        known = hasattr(os, 'sched_getaffinity')
        cores = sorted(os.sched_getaffinity(0)) if known else []
        return [Slot({}, tuple(cores[x.start : x.stop]), has.devices) for x in shares]
    devices = has.devices // num
    return [Slot(_environment(has.platform, share), (), devices) for share in shares]


def _can_be(has: Machine, num: int) -> bool:
    if has.platform == CPU:
        return True
    return has.units % num == 0 and (has.platform != TPU or has.units // num in BOUNDS)


def _environment(platform: str, share: range) -> dict[str, str]:
    if platform == TPU:
        return {
            CHIPS: ','.join(map(str, share)),
            'TPU_CHIPS_PER_PROCESS_BOUNDS': BOUNDS[len(share)],
            'TPU_PROCESS_BOUNDS': '1,1,1',
            'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
        }
    visible = os.environ.get(GPUS)
    names = visible.split(',') if visible else [*map(str, range(share.stop))]
    return {GPUS: ','.join(names[share.start : share.stop])}


def leave_alone(devices: int) -> None:
    """Has this process, which only starts others, see so many devices of its CPU and no other.

    Before its backend starts; where there are no accelerators nothing need be done.
    """
    if machine().platform != CPU:
        jax.config.update('jax_platforms', CPU)
        jax.config.update('jax_num_cpu_devices', devices)
