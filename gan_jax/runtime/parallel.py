"""Data parallelism: the one place where devices, axes and pmap are spoken of.

The state is replicated and donated, a batch is split among devices, and whatever must agree is
averaged over the axis AXIS. Several steps run inside one dispatch by lax.scan.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import flatten_util, lax

from gan_jax.runtime import processes

AXIS = 'data'
Tree = TypeVar('Tree')


def mean(tree: Tree, axis_name: str | None) -> Tree:
    """The mean of every leaf over the axis; the tree itself where there is none.

    The leaves travel as one vector: a single collective is several times cheaper than one each.
    """
    if axis_name is None or lax.axis_size(axis_name) == 1:
        return tree
    vector, unravel = flatten_util.ravel_pytree(tree)
    return unravel(lax.pmean(vector, axis_name))


def first_example(local_batch: int, axis_name: str | None) -> jax.Array | int:
    """The place in the global batch of this device's first example."""
    return 0 if axis_name is None else lax.axis_index(axis_name) * local_batch


def pmap_steps(step: Callable, devices: Sequence[jax.Device] | None = None) -> Callable:
    """Compiles `step` for all devices, several steps to a dispatch.

    Args:
      step: (state, batch) -> (state, metrics), pure, averaging over AXIS.
      devices: the devices to use; by default all, of all processes.

    Returns:
      (state, batches) -> (state, metrics): the state replicated (its buffers are donated), the
      batches [devices, steps, examples, ...], the metrics [devices, steps].
    """

    def steps(state, batches):
        if jax.tree.leaves(batches)[0].shape[0] > 1:
            return lax.scan(step, state, batches)
        # XLA's CPU convolutions are some ten times slower inside a loop.
        state, metrics = step(state, jax.tree.map(lambda x: x[0], batches))
        return state, jax.tree.map(lambda x: x[None], metrics)

    return jax.pmap(steps, axis_name=AXIS, devices=devices, donate_argnums=(0,))


def on_first_device(function: Callable) -> Callable:
    """Compiles a function that averages over AXIS for the first device, which is all of the axis.

    Args:
      function: (state, *arrays) -> a tree of arrays; no argument has an axis of devices.

    Returns:
      The same; the state's buffers are donated.
    """
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()[:1]), (AXIS,))
    here = jax.sharding.PartitionSpec()
    mapped = jax.shard_map(function, mesh=mesh, in_specs=here, out_specs=here, check_vma=False)
    compiled = jax.jit(mapped, donate_argnums=(0,))
    place = jax.sharding.NamedSharding(mesh, here)
    # What comes from elsewhere than this mesh would be compiled for again.
    return lambda *arguments: compiled(*jax.device_put(arguments, place))


def over_examples(function: Callable) -> Callable:
    """Compiles a function of examples, each by itself, for all local devices, with no collective.

    Args:
      function: (shared, x) -> a tree of arrays [n, ...]; x is an array [n, ...] or a tree of them.

    Returns:
      The same for any n, without an axis of devices; what is shared goes to all of them.
    """
    devices = jax.local_device_count()
    if devices == 1:
        return jax.jit(function)
    mapped = jax.pmap(function, in_axes=(None, 0), devices=jax.local_devices())

    def split(x: Any) -> np.ndarray:
        x = np.asarray(x)
        padded = np.pad(x, ((0, -len(x) % devices), *((0, 0),) * (x.ndim - 1)))
        return padded.reshape(devices, -1, *x.shape[1:])

    def apply(shared: Any, x: Any) -> Any:
        num = jax.tree.leaves(x)[0].shape[0]
        results = mapped(shared, jax.tree.map(split, x))
        return jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:])[:num], results)

    return apply


def everywhere(function: Callable) -> Callable:
    """`over_examples` for the devices of all processes, which call the result at the same time."""
    return processes.spread(over_examples(function))


def shard(batches: Mapping[str, np.ndarray], num_devices: int) -> dict[str, np.ndarray]:
    """Splits [steps, examples, ...] into [devices, steps, examples / devices, ...]."""
    return {
        name: np.swapaxes(x.reshape(x.shape[0], num_devices, -1, *x.shape[2:]), 0, 1)
        for name, x in batches.items()
    }


def distribute(batches: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What pmap takes of global batches [steps, examples, ...], split among all devices.

    Of several processes each has the whole batch with zeros wherever another one has the numbers;
    all call this, in one order. What a process has for another's devices is sent there, and added
    as integers, so that every bit arrives: [devices, steps, examples / devices, ...].
    """
    count, local = processes.count(), jax.local_device_count()
    if count == 1:
        return shard(batches, local)
    exchange, sharding = _exchange(_in_order())
    parts = {name: _parts(x, count, local) for name, x in batches.items()}
    return exchange(
        {name: jax.make_array_from_process_local_data(sharding, x) for name, x in parts.items()}
    )


def _in_order() -> tuple[tuple[jax.Device, ...], ...]:
    """Each process's devices, in the order of pmap, which first_example counts on.

    `jax.devices()` may have another: it goes by the places of chips, not by processes.
    """
    return tuple(tuple(jax.local_devices(i)) for i in range(processes.count()))


def _parts(x: np.ndarray, processes: int, devices: int) -> np.ndarray:
    """[devices, processes, steps, ...]: what the i-th device of each process is to have of x."""
    x = x.reshape(x.shape[0], processes, devices, -1, *x.shape[2:])
    return np.moveaxis(x, 2, 0).swapaxes(1, 2)


@functools.cache
def _exchange(
    devices: tuple[tuple[jax.Device, ...], ...],
) -> tuple[Callable, jax.sharding.NamedSharding]:
    """{name: the _parts of all processes} -> what they sum to; and how the arguments are placed.

    Every device sends each process's part to the device at its own place there. That is less than
    a reduction of the whole batch sends, and needs no backend that adds small integers.
    """
    mesh = jax.sharding.Mesh(np.array(devices), ('process', 'local'))
    spec = jax.sharding.PartitionSpec(('process', 'local'))
    as_pmap = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(devices).ravel(), (AXIS,)), jax.sharding.PartitionSpec(AXIS)
    )

    def received(x: jax.Array) -> jax.Array:
        bits = lax.bitcast_convert_type(x[0], f'uint{8 * x.dtype.itemsize}')
        whole = lax.all_to_all(bits, 'process', 0, 0).sum(axis=0, dtype=bits.dtype)
        return lax.bitcast_convert_type(whole, x.dtype)[None]

    mapped = jax.shard_map(
        lambda tree: jax.tree.map(received, tree), mesh=mesh, in_specs=spec, out_specs=spec
    )
    return jax.jit(mapped, out_shardings=as_pmap), jax.sharding.NamedSharding(mesh, spec)


def replicate(tree: Any, devices: Sequence[jax.Device] | None = None) -> Any:
    """A copy of every leaf on every device, [devices, ...].

    Placed just as pmap places what it returns: otherwise its second call would compile again.
    """
    mesh = jax.sharding.Mesh(np.array(devices or _in_order()).ravel(), (AXIS,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(AXIS))
    local = len(mesh.local_devices)

    def copies(x: Any) -> jax.Array:
        x = np.asarray(x)
        return jax.make_array_from_process_local_data(
            sharding, np.broadcast_to(x, (local, *x.shape))
        )

    return jax.tree.map(copies, tree)


def to_host(tree: Any) -> Any:
    """The first device's copy of a replicated tree, as NumPy arrays that share no memory with it.

    A view would change under the reader's eyes once the next step is given the buffers.
    """
    return jax.tree.map(lambda x: np.array(np.asarray(x.addressable_data(0))[0], copy=True), tree)


def first(tree: Any) -> Any:
    """The first device's copy of a replicated tree, left on the device."""
    return jax.tree.map(lambda x: jnp.squeeze(x.addressable_data(0), 0), tree)


def num_devices() -> int:
    """How many devices share a global batch, over all processes."""
    return jax.device_count()


def virtual_device_environment(flags: str) -> dict[str, str]:
    """What must stand in the environment before the backend starts, given XLA_FLAGS.

    Virtual CPU devices deadlock in collectives when the thread pool is smaller than the number of
    devices, so it is made larger (PJRT_NPROC); without virtual devices nothing is needed.
    """
    name = '--xla_force_host_platform_device_count='
    counts = [flag.removeprefix(name) for flag in flags.split() if flag.startswith(name)]
    devices = int(counts[-1]) if counts and counts[-1].isdigit() else 1
    return {'PJRT_NPROC': str(max(16, 2 * devices))} if devices > 1 else {}
