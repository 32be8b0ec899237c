"""What a run makes examples with, as a program that needs neither this library nor flax."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from gan_jax.config.experiment import Experiment
from gan_jax.errors import UserError, one_line
from gan_jax.sampling import sampler

NAMES = ('sample', 'a_to_b', 'b_to_a', 'reconstruct')  # of a game's functions
PLATFORMS = ('cpu', 'cuda', 'tpu')
# How far a program's examples are from the run's own, of the largest number in them: what
# is said, what is refused. In CycleGAN's generator of 256 pixels rounding alone is 1.2e-5 of it.
CLOSE, FAR, TINY = 1e-5, 1e-4, 1e-20


class Program(NamedTuple):
    """A function of a game with its players.

    Attributes:
      name: the function's.
      function: (*variables, inputs) -> examples as networks see them, each of its own inputs, which
        are an array [n, ...] or a dict.
      variables: the players'.
      inputs: some, of two examples.
    """

    name: str
    function: Callable[..., jax.Array]
    variables: tuple[Any, ...]
    inputs: Any

    def apply(self, inputs: Any) -> jax.Array:
        """Inputs -> examples."""
        return self.function(*self.variables, inputs)

    def shapes(self) -> dict[str, str]:
        """{input: its type and shape}, in words; 'x' if it is the only one."""
        given = self.inputs if isinstance(self.inputs, dict) else {'x': self.inputs}
        return {
            name: f'{x.dtype} [{", ".join(map(str, ("n", *x.shape[1:])))}]'
            for name, x in given.items()
        }


def of_run(experiment: Experiment, variables: tuple[Any, Any]) -> list[Program]:
    """The programs of a run's players."""
    functions = experiment.game.functions
    variables = jax.device_put(variables)  # where one is indexed by an input, NumPy's will not do
    found = []
    for name in NAMES:
        if name not in functions:
            continue
        if name == 'sample':
            inputs = jax.tree.map(np.asarray, sampler.draw_inputs(experiment.game, 0, 2))
        else:
            shape = experiment.source_shape if name == 'a_to_b' else experiment.modality.shape
            inputs = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype(np.float32)
        found.append(Program(name, functions[name], variables, inputs))
    return found


def stablehlo(program: Program) -> bytes:
    """The program as StableHLO, for any number of examples, on CPUs, CUDA and TPUs.

    jax.export.deserialize(bytearray(...)).call(inputs) runs it; the players' arrays are in it.

    Raises:
      UserError: if the package that writes it is not installed, or what was written, when read
        again, makes other examples than the run.
    """
    (num,) = jax.export.symbolic_shape('n')
    inputs = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((num, *x.shape[1:]), x.dtype), program.inputs
    )
    try:
        written = jax.export.export(jax.jit(program.apply), platforms=PLATFORMS)(inputs).serialize()
    except ImportError as error:
        raise UserError(
            "--format=stablehlo needs flatbuffers: pip install 'gan_jax[export]'"
        ) from error
    except Exception as error:  # of jax: what does not go for any number of examples
        raise UserError(
            f'{program.name} cannot be exported for any number of examples: {one_line(error)}; use '
            f'--format=safetensors'
        ) from error
    check(program, jax.export.deserialize(written).call)
    return bytes(written)


def check(
    program: Program, other: Callable[[Any], Any], instead: str = '--format=safetensors'
) -> None:
    """Raises UserError if another way to run a program makes other examples, of one or of two.

    What differs by more than 1e-5 and is not refused is said in a line.

    Args:
      program: what is right.
      other: inputs -> examples.
      instead: what the error says to use.
    """
    # Variables are arguments: large ones that are constants XLA takes long to fold.
    examples = jax.jit(program.function)(*program.variables, program.inputs)
    for num in (1, 2):
        inputs = jax.tree.map(lambda x, num=num: jnp.asarray(x[:num]), program.inputs)
        want, got = (np.asarray(x, np.float32) for x in (examples[:num], other(inputs)))
        error = np.inf
        if got.shape == want.shape:
            error = np.abs(got - want).max() / max(TINY, np.abs(want).max())
        if CLOSE < error <= FAR:
            logging.warning(
                '%s: what was exported makes examples that differ by %.1e of the largest from the '
                "run's, as rounding may", program.name, error,
            )  # fmt: skip
        if not error <= FAR:
            raise UserError(
                f'{program.name}: what was exported makes examples that differ by {error:.1e} of '
                f"the largest from the run's; export with the versions of jax that it was trained "
                f'with, or {instead}'
            )
