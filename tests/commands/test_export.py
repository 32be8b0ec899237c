"""Programs that make what their run makes, without this library, and a card beside them."""

import json
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
from jax import lax
from jax.extend.core import jaxpr_as_fun

from gan_jax.commands import export, onnx_programs, programs
from gan_jax.config import experiment
from gan_jax.errors import UserError
from gan_jax.loop import train
from gan_jax.networks.layers import upfirdn
from gan_jax.report import card

pytest.importorskip('flatbuffers', reason='the extra named export is not here')
ALONE = """
import sys
import numpy as np
from jax import export
program = export.deserialize(bytearray(open(sys.argv[1], 'rb').read()))
inputs = dict(np.load(sys.argv[2]))
np.save(sys.argv[3], program.call(inputs))
print([x for x in sys.modules if x.split('.')[0] in ('flax', 'gan_jax', 'optax', 'orbax')])
"""
IN_ONNXRUNTIME = """
import sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
(examples,) = session.run(['examples'], dict(np.load(sys.argv[2])))
np.save(sys.argv[3], examples)
print([x for x in sys.modules if x.split('.')[0] in ('jax', 'jax2onnx', 'flax', 'gan_jax')])
"""
# One of each family of networks that the README names, and each of the functions that make.
EACH = (
    'dcgan', 'sngan', 'projection', 'biggan_digits', 'stylegan2_digits', 'infogan', 'ring8',
    'cyclegan', 'super_resolution', 'inpainting', 'ganomaly', 'rcgan', 'timegan', 'ctgan_census',
    'wavegan_drums', 'vocoder', 'words',
)  # fmt: skip


def program_of(name):
    made = experiment.rebuild(methods.shrunk(name))
    variables = jax.jit(lambda: made.game.init(jax.random.key(0), made.example))()
    return programs.of_run(made, jax.device_get(variables))


@pytest.mark.slow
@pytest.mark.parametrize('name', EACH)
def test_every_generator_is_exported_for_any_number_of_examples(name):
    for program in program_of(name):
        again = jax.export.deserialize(bytearray(programs.stablehlo(program)))
        inputs = jax.tree.map(lambda x: np.repeat(x, 3, axis=0)[:5], program.inputs)
        made, want = again.call(inputs), jax.jit(program.apply)(inputs)
        np.testing.assert_allclose(made, want, atol=1e-5 * max(1, float(jnp.abs(want).max())))
        assert again.platforms == ('cpu', 'cuda', 'tpu')


def assert_the_same_in_onnxruntime(program):
    import onnxruntime

    model = onnx_programs.encoded(program)
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    (output,) = session.get_outputs()
    assert output.name == 'examples'
    assert {x.name for x in session.get_inputs()} == {*program.shapes()}
    assert {x.shape[0] for x in (output, *session.get_inputs())} == {'n'}
    for num in (1, 2, 5):
        inputs = jax.tree.map(lambda x, num=num: np.repeat(x, 3, axis=0)[:num], program.inputs)
        named = inputs if isinstance(inputs, dict) else {'x': inputs}
        (made,) = session.run(['examples'], named)
        want = np.asarray(jax.jit(program.apply)(inputs))
        np.testing.assert_allclose(made, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_a_generator_is_the_same_in_onnxruntime():
    pytest.importorskip('jax2onnx', reason='the extra named onnx is not here')
    (program,) = program_of('dcgan')
    assert_the_same_in_onnxruntime(program)


@pytest.mark.slow
@pytest.mark.parametrize('name', EACH)
def test_every_generator_is_the_same_in_onnxruntime(name):
    pytest.importorskip('jax2onnx', reason='the extra named onnx is not here')
    for program in program_of(name):
        assert_the_same_in_onnxruntime(program)


def operations(graph):
    return [x.primitive.name for x in onnx_programs._equations(graph.jaxpr)]


@pytest.mark.parametrize(
    'name', ['dcgan', pytest.param('stylegan2_digits', marks=pytest.mark.slow)]
)
def test_a_program_is_restated_in_jaxs_own_operations(name):
    """Convolutions native, kernels in the order that jax2onnx knows, no calls."""
    (program,) = program_of(name)
    inputs, tree = jax.tree.flatten(program.inputs)
    graph = onnx_programs.restated(lambda *xs: program.apply(jax.tree.unflatten(tree, xs)), inputs)
    ours = {'convolution', 'convolution_input_gradient', 'resampling'}
    assert not {*operations(graph)} & (ours | {*onnx_programs.CALLS, *onnx_programs.RULES}) - {
        'conv_general_dilated', 'reduce_sum',
    }  # fmt: skip
    kernels = [
        x.params['dimension_numbers'].rhs_spec
        for x in graph.jaxpr.eqns
        if x.primitive.name == 'conv_general_dilated'
    ]
    assert {*kernels} == {(3, 2, 0, 1)}
    (made,), want = jax.jit(jaxpr_as_fun(graph))(*inputs), jax.jit(program.apply)(program.inputs)
    np.testing.assert_allclose(made, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_a_resampling_is_restated_too():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    taps = upfirdn.setup_filter([1, 3, 3, 1])
    graph = onnx_programs.restated(lambda x: upfirdn.upsample(x, taps), [x])
    assert not {'resampling', 'stack'} & {*operations(graph)}
    (made,) = jaxpr_as_fun(graph)(x)
    np.testing.assert_allclose(made, upfirdn.upsample(x, taps), rtol=1e-6)


@pytest.mark.parametrize('size', [8, 7])
def test_an_inverse_transform_is_restated_in_real_numbers(size):
    def function(real, imaginary):
        return jnp.fft.irfft(lax.complex(real, imaginary), size)

    parts = np.random.default_rng(0).normal(size=(2, 3, size // 2 + 1)).astype(np.float32)
    graph = onnx_programs.restated(function, list(parts))
    assert not {'complex', 'fft'} & {*operations(graph)}
    (made,) = jaxpr_as_fun(graph)(*parts)
    np.testing.assert_allclose(made, np.fft.irfft(parts[0] + 1j * parts[1], size), atol=1e-6)


def test_other_complex_numbers_stay_and_are_refused():
    pytest.importorskip('jax2onnx', reason='the extra named onnx is not here')

    def turned(x):
        return jnp.fft.irfft(lax.complex(x, x) * jnp.complex64(1j), 4)

    program = programs.Program('sample', turned, (), np.ones((2, 3), np.float32))
    graph = onnx_programs.restated(turned, [program.inputs])
    assert {'complex', 'mul', 'fft'} <= {*operations(graph)}
    np.testing.assert_allclose(jaxpr_as_fun(graph)(program.inputs)[0], turned(program.inputs))
    with pytest.raises(UserError, match=r'^sample: .* lacks an operation, complex; .*=stablehlo$'):
        onnx_programs.encoded(program)


def test_a_loops_body_is_restated_too():
    def body(x, _):
        return lax.clamp(jnp.float32(0), 2 * x, jnp.float32(4)), None

    graph = onnx_programs.restated(lambda x: lax.scan(body, x, length=3)[0], [jnp.arange(3.0)])
    assert 'scan' in operations(graph)
    assert 'clamp' not in operations(graph)
    np.testing.assert_array_equal(jaxpr_as_fun(graph)(jnp.arange(3.0))[0], [0, 4, 4])


def test_what_is_known_is_computed_unless_it_is_large():
    kernel = jnp.arange(1.0, 7.0).reshape(2, 3)

    def function(x):
        return x @ (kernel / jnp.sqrt(jnp.sum(kernel**2))) + jnp.zeros((1000, 3))

    graph = onnx_programs.restated(function, [jax.ShapeDtypeStruct((1000, 2), jnp.float32)])
    assert operations(graph) == ['broadcast_in_dim', 'dot_general', 'add'] or (
        operations(graph) == ['dot_general', 'broadcast_in_dim', 'add']
    )


def test_what_nobody_takes_is_left_out():
    @jax.jit
    def both(x):
        return jnp.sin(x), jnp.cos(x), 2.0

    graph = onnx_programs.restated(lambda x: both(x)[1:], [jax.ShapeDtypeStruct((2,), jnp.float32)])
    assert operations(graph) == ['cos']


def test_a_sum_is_made_an_axis_at_a_time():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    graph = onnx_programs.restated(lambda x: jnp.sum(x, (0, 2)), [x])
    assert operations(graph) == ['reduce_sum', 'reduce_sum']
    np.testing.assert_array_equal(jaxpr_as_fun(graph)(x)[0], x.sum((0, 2)))


def test_a_clamp_is_a_minimum_of_a_maximum():
    x = jnp.array([[-2.0, 0.5, 3.0]])
    graph = onnx_programs.restated(lambda x: lax.clamp(jnp.float32(-1), x, jnp.float32(1)), [x])
    assert 'clamp' not in operations(graph)
    np.testing.assert_array_equal(jaxpr_as_fun(graph)(x)[0], [[-1, 0.5, 1]])


def test_an_operation_that_onnx_lacks_is_named():
    pytest.importorskip('jax2onnx', reason='the extra named onnx is not here')

    def noise(key):
        return jax.random.normal(jax.random.wrap_key_data(key), (3,))

    program = programs.Program('sample', jax.vmap(noise), (), np.zeros((2, 2), np.uint32))
    with pytest.raises(
        UserError, match=r'^sample: the export to ONNX lacks an operation, random_\w+; use --f'
    ):
        onnx_programs.encoded(program)


def test_a_graph_that_makes_others_is_not_let_out(monkeypatch):
    pytest.importorskip('jax2onnx', reason='the extra named onnx is not here')
    run = onnx_programs._run
    monkeypatch.setattr(onnx_programs, '_run', lambda *inputs: run(*inputs) + 1e-3)
    program = programs.Program('sample', jnp.tanh, (), np.ones((2, 3), np.float32))
    with pytest.raises(UserError, match=r'^sample: .* examples that differ .*--format=stablehlo$'):
        onnx_programs.encoded(program)


@pytest.mark.parametrize('package', ['jax2onnx', 'onnxruntime'])
def test_a_missing_package_is_a_line(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    program = programs.Program('sample', lambda x: x, (), np.zeros((2, 3), np.float32))
    with pytest.raises(UserError, match=r"^--format=onnx needs .*: pip install 'gan_jax\[onnx\]'$"):
        onnx_programs.encoded(program)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs') / 'digits'
    config = methods.shrunk('cgan', steps=1, dataset='mnist_5k', num_samples=4, data={})
    config['data'] = methods.shrunk('cgan')['data']
    train({**config, 'modality': {}}, folder)
    return folder


@pytest.mark.parametrize(('format', 'alone'), [('stablehlo', ALONE), ('onnx', IN_ONNXRUNTIME)])
def test_a_program_runs_alone_and_makes_what_the_run_makes(run, tmp_path, format, alone):
    if format == 'onnx':
        pytest.importorskip('jax2onnx', reason='the extra named onnx is not here')
    written = export.export(run, format=format)
    assert [x.name for x in written] == [f'sample.{format}', 'config.json', 'README.md']
    restored = experiment.restore(run)
    (program,) = programs.of_run(restored.experiment, restored.variables(0))
    np.savez(tmp_path / 'inputs.npz', **program.inputs)
    files = [str(written[0]), str(tmp_path / 'inputs.npz'), str(tmp_path / 'made.npy')]
    done = subprocess.run(
        [sys.executable, '-c', alone, *files], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '[]'
    want = jax.jit(program.apply)(program.inputs)
    np.testing.assert_allclose(np.load(files[2]), want, atol=1e-5)


def test_what_an_earlier_export_left_is_named(tmp_path, caplog):
    export._write(tmp_path / 'export', {'generator.safetensors': b'1', 'config.json': b'1'}, 1)
    export._write(tmp_path / 'export', {'generator.safetensors': b'2', 'config.json': b'2'}, 2)
    assert 'of an earlier export' not in caplog.text
    export._write(tmp_path / 'export', {'sample.onnx': b'3', 'config.json': b'3'}, 3)
    assert 'holds generator.safetensors of an earlier export' in caplog.text


def test_a_card_has_a_header_and_says_how_to_call(run):
    (run / 'evaluation.json').write_text(json.dumps(JUDGED))
    try:
        export.export(run, format='stablehlo')
    finally:
        (run / 'evaluation.json').unlink()
    text = (run / 'export' / 'README.md').read_text()
    header = re.match(r'---\n(.*?)\n---\n', text, re.DOTALL)[1]
    for line in (
        'library_name: gan_jax', '- "gan"', '- "images"', '- "mnist_5k"',
        '    - type: "frechet_distance"', '      value: 12.5',
    ):  # fmt: skip
        assert line in header.splitlines()
    assert "program.call({'label': label, 'latent': latent})" in text or (
        "program.call({'latent': latent, 'label': label})" in text
    )
    assert '`latent` float32 [n, 8]' in text
    assert '`label` int32 [n]' in text
    assert '| frechet_distance | 12.5 | 2 |' in text
    assert 'deep fakes' in text


JUDGED = {
    'settings': {'step': 1, 'generated': 100, 'real_images': 90, 'split': 'test', 'real': 'digits'},
    'figures': {'frechet_distance': {'ema': 12.5, 'raw': 20.0, 'real': 2.0, 'better': 'less'}},
    'warnings': [],
    'missing': {},
}


def test_a_cards_data_set_is_named_without_its_place():
    config = {'game': 'gan', 'modality': {'name': 'images'}, 'dataset': 'folder:/home/me/secret'}
    text = card.render(card.Contents('x', config, 3, ['a.safetensors'], {}, 'uint8'))
    assert 'folder:secret' in text
    assert '/home' not in text
    assert '--init_from=export' in text
    judged = {**JUDGED, 'settings': JUDGED['settings'] | {'real': 'folder:/home/me/secret'}}
    text = card.render(card.Contents('x', config, 3, ['a.safetensors'], {}, 'uint8', judged))
    assert text.count('"folder:secret"') == 3
    assert '/home' not in text


def test_what_differs_is_said_and_another_program_is_not_let_out(caplog):
    (program,) = program_of('ring8')
    with pytest.raises(UserError, match='sample: what was exported makes examples that differ'):
        programs.check(program, lambda inputs: program.apply(inputs) * (1 + 1e-3))
    with pytest.raises(UserError, match='differ by inf'):
        programs.check(program, lambda inputs: program.apply(inputs)[:1, :1])
    programs.check(program, program.apply)
    assert not caplog.messages
    programs.check(program, lambda inputs: program.apply(inputs) * (1 + 3e-5))
    assert 'sample: what was exported makes examples that differ by 3.0e-05' in caplog.text


@pytest.mark.parametrize('write', [programs.stablehlo, onnx_programs.encoded])
def test_what_asks_how_many_examples_there_are_is_refused_in_a_line(write):
    (program,) = program_of('ring8')

    def asking(params, aux, inputs):
        made = program.function(params, aux, inputs)
        return made if made.shape[0] > 1 else -made

    with pytest.raises(UserError, match=r'^sample[^\n]*use --format=[a-z]+$'):
        write(program._replace(function=asking))


def test_a_card_of_onnx_says_how_to_call_onnxruntime():
    config = {'game': 'gan', 'modality': {'name': 'images'}, 'dataset': 'digits'}
    shapes = {'sample': {'latent': 'float32 [n, 8]'}, 'a_to_b': {'x': 'float32 [n, 4]'}}
    files = ['sample.onnx', 'a_to_b.onnx', 'config.json']
    text = card.render(card.Contents('x', config, 3, files, shapes, 'uint8'))
    assert "    session = onnxruntime.InferenceSession('sample.onnx')" in text.splitlines()
    assert "session.run(['examples'], {'latent': latent})" in text
    assert "session.run(['examples'], {'x': x})" in text
    assert 'stablehlo' not in text


def test_a_card_says_what_inputs_are_drawn_of():
    config = {'game': 'ctgan', 'modality': {'name': 'tables'}, 'dataset': 'table:a.csv'}
    config['latent'] = {'name': 'normal', 'size': 8}
    shapes = {'sample': {'latent': 'float32 [n, 8]', 'noise': 'float32 [n, 9]'}}
    text = card.render(card.Contents('x', config, 3, ['sample.onnx'], shapes, 'float32'))
    assert '`latent` float32 [n, 8] (of the prior `normal`)' in text
    assert '`noise` float32 [n, 9] (as `numpy.random.Generator.gumbel` draws it)' in text


def test_an_unknown_format_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r'--format.*nearest valid name is .stablehlo'):
        export.export(tmp_path, format='stablehl')
