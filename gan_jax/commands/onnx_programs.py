"""Programs as ONNX graphs, by way of jax2onnx.

A program is traced for any number of examples and said anew in operations that ONNX has: calls are
written out, a convolution of our own is its native form, what is known is computed, and what RULES
names is said otherwise. jax2onnx makes nodes of that, and onnxruntime runs it before it is let out.
"""

import contextlib
import functools
import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from gan_jax.commands import programs
from gan_jax.errors import UserError, one_line

OPSET = 21
OUTPUT = 'examples'
# Operations that stand for a jaxpr of others, and the parameter that holds it.
CALLS = {
    'jit': 'jaxpr', 'pjit': 'jaxpr', 'remat2': 'jaxpr', 'checkpoint': 'jaxpr',
    'closed_call': 'call_jaxpr', 'custom_jvp_call': 'call_jaxpr', 'custom_vjp_call': 'call_jaxpr',
}  # fmt: skip
# jax2onnx makes ONNX's own draws of these, of other numbers.
DRAWS = ('random_', 'threefry')
AS_TRACED = contextlib.nullcontext()
SMALL = 256  # elements that may be written as a constant whatever they are made of


class Complex(NamedTuple):
    """A complex array as two real ones, between what makes it and what takes it apart."""

    real: Any
    imaginary: Any


def encoded(program: programs.Program) -> bytes:
    """The program as an ONNX model, its players' arrays in it, for any number of examples, 'n'.

    Inputs have the names of `program.shapes()`, the output is 'examples'.

    Raises:
      UserError: if a library is not installed, ONNX lacks an operation of the program's, or what
        was written makes other examples than the run.
    """
    try:
        import jax2onnx
        import onnxruntime
    except ImportError as error:
        raise UserError(
            "--format=onnx needs jax2onnx and onnxruntime: pip install 'gan_jax[onnx]'"
        ) from error
    (num,) = jax.export.symbolic_shape('n')
    inputs, tree = jax.tree.flatten(
        jax.tree.map(lambda x: jax.ShapeDtypeStruct((num, *x.shape[1:]), x.dtype), program.inputs)
    )
    names = sorted(program.shapes())  # as jax flattens a dict
    with _quiet(), _naming_what_fails(program):
        graph = restated(lambda *xs: program.apply(jax.tree.unflatten(tree, xs)), inputs)
        _check_known(program, graph)
        model = jax2onnx.to_onnx(
            lambda *xs: jaxpr_as_fun(graph)(*xs)[0], inputs, model_name=program.name,
            opset=OPSET, input_names=names, output_names=[OUTPUT],
        ).SerializeToString()  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        session = onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    programs.check(program, functools.partial(_run, session, names), '--format=stablehlo')
    return model


def _run(session: Any, names: list[str], inputs: Any) -> np.ndarray:
    arrays = map(np.asarray, jax.tree.leaves(inputs))
    return session.run([OUTPUT], dict(zip(names, arrays, strict=True)))[0]


def restated(function: Callable, inputs: Sequence[Any]) -> ClosedJaxpr:
    """A function's jaxpr without calls, of jax's own operations that jax2onnx makes nodes of."""
    traced = jax.make_jaxpr(function)(*inputs)
    for _ in range(2):  # what a call made and nobody takes is seen once it is written out
        traced = jax.make_jaxpr(functools.partial(_restated, traced))(*inputs)
    return traced


def _restated(closed: ClosedJaxpr, *inputs: Any) -> list[Any]:
    return [_whole(x) for x in _evaluated(closed, *inputs)]


def _evaluated(closed: ClosedJaxpr, *inputs: Any) -> list[Any]:
    """A jaxpr's outputs, each operation restated; when it is traced that makes the new jaxpr."""
    jaxpr = closed.jaxpr
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*closed.consts, *inputs), strict=True))

    def read(variable):
        return variable.val if isinstance(variable, Literal) else values[variable]

    for equation in _needed(jaxpr):
        operands = [read(x) for x in equation.invars]
        with jax.ensure_compile_time_eval() if _known(equation, operands) else AS_TRACED:
            outputs = _outputs(equation, operands)
        values |= zip(equation.outvars, outputs, strict=True)
    return [read(x) for x in jaxpr.outvars]


def _needed(jaxpr: Jaxpr) -> list[JaxprEqn]:
    """The equations that the outputs depend on."""

    def variables(atoms):
        return {x for x in atoms if not isinstance(x, Literal)}

    wanted, needed = variables(jaxpr.outvars), []
    for equation in reversed(jaxpr.eqns):
        if not wanted.isdisjoint(equation.outvars):
            needed.append(equation)
            wanted |= variables(equation.invars)
    return needed[::-1]


def _known(equation: JaxprEqn, operands: list[Any]) -> bool:
    """Whether its outputs depend on no input, and are no larger than what they are made of."""
    shapes = [getattr(x.aval, 'shape', ()) for x in equation.outvars]
    operands = jax.tree.leaves(operands)
    if any(isinstance(x, jax.core.Tracer) for x in operands) or equation.primitive.name in CALLS:
        return False
    if not all(isinstance(size, int) for shape in shapes for size in shape):
        return False
    most = max([SMALL, *(np.size(x) for x in operands)])
    return all(np.prod(shape) <= most for shape in shapes)


def _outputs(equation: JaxprEqn, operands: list[Any]) -> list[Any]:
    primitive, params = equation.primitive, equation.params
    if primitive.name in CALLS:
        inner = params[CALLS[primitive.name]]
        inner = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
        return _evaluated(inner, *operands)
    if primitive is lax.pad_p and not np.any(params['padding_config']):
        return operands[:1]  # jnp.fft pads spectra so
    if primitive is not lax.fft_p:
        operands = [_whole(x) for x in operands]
    if hasattr(primitive, 'native'):
        native = functools.partial(primitive.native, **params)
        return _evaluated(jax.make_jaxpr(native)(*operands), *operands)
    params = {name: _restated_within(x) for name, x in params.items()}
    outputs = RULES.get(primitive.name, primitive.bind)(*operands, **params)
    return outputs if primitive.multiple_results else [outputs]


def _restated_within(parameter: Any) -> Any:
    """A loop's body, or a parameter that is none."""
    if not isinstance(parameter, ClosedJaxpr):
        return parameter
    return restated(jaxpr_as_fun(parameter), parameter.in_avals)


def _clamp(low, x, high):
    low, high = (jnp.broadcast_to(bound, x.shape) for bound in (low, high))
    return lax.min(lax.max(x, low), high)


def _convolution(x, kernel, *, dimension_numbers, **params):
    """The same with a kernel whose axes are in the one order that jax2onnx knows."""
    out, into, *places = dimension_numbers.rhs_spec
    rank = len(places)
    numbers = dimension_numbers._replace(rhs_spec=(rank + 1, rank, *range(rank)))
    kernel = lax.transpose(kernel, (*places, into, out))
    return lax.conv_general_dilated_p.bind(x, kernel, dimension_numbers=numbers, **params)


def _stack(*operands, axis):
    return lax.concatenate([lax.expand_dims(x, (axis,)) for x in operands], axis)


def _sum(x, *, axes, **params):
    """An axis at a time: of tens of thousands of numbers onnxruntime's sums round less so."""
    for axis in sorted(axes, reverse=True):
        x = lax.reduce_sum_p.bind(x, axes=(axis,), **params)
    return x


def _whole(x):
    return lax.complex(*x) if isinstance(x, Complex) else x


def _fft(x, *, fft_type, fft_lengths):
    """An inverse transform to real numbers as a sum of waves, of real and of imaginary parts."""
    if not isinstance(x, Complex) or fft_type != lax.FftType.IRFFT or len(fft_lengths) > 1:
        return lax.fft_p.bind(_whole(x), fft_type=fft_type, fft_lengths=fft_lengths)
    ones = np.eye(x.real.shape[-1])
    cosines, sines = (np.fft.irfft(unit * ones, *fft_lengths) for unit in (1, 1j))
    return x.real @ cosines.astype(x.real.dtype) + x.imaginary @ sines.astype(x.real.dtype)


# jax2onnx 0.13 knows no stack, no clamp of a symbolic number of examples, and no transform of what
# its own nodes make of complex numbers.
RULES: dict[str, Callable] = {
    'clamp': _clamp, 'complex': Complex, 'conv_general_dilated': _convolution, 'fft': _fft,
    'reduce_sum': _sum, 'stack': _stack,
}  # fmt: skip


def _check_known(program: programs.Program, graph: ClosedJaxpr) -> None:
    from jax2onnx.plugins import plugin_system

    plugin_system.import_all_plugins()
    _correct()
    for equation in _equations(graph.jaxpr):
        name = equation.primitive.name
        known = name in plugin_system.PLUGIN_REGISTRY and not name.startswith(DRAWS)
        if not known or any(map(_complex, equation.outvars)):
            raise UserError(
                f'{program.name}: the export to ONNX lacks an operation, {name}; use '
                f'--format=stablehlo'
            )


@functools.cache
def _correct() -> None:
    """Puts nodes that are right in place of two of jax2onnx 0.13's.

    It strides a ConvTranspose by the convolution's strides, which are 1, and makes no Pad of a
    symbolic number of examples.
    """
    import onnx_ir
    from jax2onnx.plugins.jax.lax import conv, pad
    from jax2onnx.plugins.plugin_system import register_primitive

    class Convolution(conv.ConvGeneralDilatedPlugin):
        def lower(self, ctx, eqn):
            if set(eqn.params['lhs_dilation']) != {1}:
                strides = {'window_strides': eqn.params['lhs_dilation']}
                eqn = eqn.replace(params=eqn.params | strides)
            super().lower(ctx, eqn)

    class Pad(pad.PadPlugin):
        def lower(self, ctx, eqn):
            x, value = eqn.invars
            (result,) = eqn.outvars
            config = np.array(eqn.params['padding_config'])
            if not x.aval.shape or config[:, 2].any():
                return super().lower(ctx, eqn)
            images = ctx.get_value_for_var(x)
            value = ctx.get_value_for_var(value, prefer_np_dtype=np.dtype(x.aval.dtype))
            sides = ctx.builder.add_initializer_from_array(
                name=ctx.fresh_name('pads'), array=config[:, :2].T.reshape(-1)
            )
            padded = ctx.builder.Pad(
                images, sides, value, mode='constant', _outputs=[ctx.fresh_name('padded')]
            )
            padded.type = images.type
            sizes = [size if isinstance(size, int) else str(size) for size in result.aval.shape]
            padded.shape = onnx_ir.Shape(sizes)
            ctx.bind_value_for_var(result, padded)

    register_primitive(jaxpr_primitive=lax.conv_general_dilated_p.name)(Convolution)
    register_primitive(jaxpr_primitive=lax.pad_p.name)(Pad)


def _complex(variable: Any) -> bool:
    return jnp.issubdtype(variable.aval.dtype, jnp.complexfloating)


def _equations(jaxpr: Jaxpr) -> Iterator[JaxprEqn]:
    """Its equations, and those within loops and branches."""
    for equation in jaxpr.eqns:
        yield equation
        for x in jax.tree.leaves(list(equation.params.values())):
            inner = x.jaxpr if isinstance(x, ClosedJaxpr) else x
            if isinstance(inner, Jaxpr):
                yield from _equations(inner)


@contextlib.contextmanager
def _naming_what_fails(program: programs.Program) -> Iterator[None]:
    """One line of what jax2onnx and onnxruntime raise, with the operation that it was at."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # another library's: anything may be raised
        frames = [x.f_locals for x, _ in traceback.walk_tb(error.__traceback__)]
        equations = [x['eqn'] for x in frames if isinstance(x.get('eqn'), JaxprEqn)]
        at = f' at {equations[-1].primitive.name}' if equations else ''
        raise UserError(
            f'{program.name}: the export to ONNX failed{at} ({one_line(error)}); use '
            f'--format=stablehlo'
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of libraries about themselves."""
    loggers = [logging.getLogger(name) for name in ('jax2onnx', 'onnx_ir')]
    levels = [x.level for x in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
