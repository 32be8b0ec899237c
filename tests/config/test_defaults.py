import jax
import methods
import pytest

from gan_jax import errors, objectives
from gan_jax.config import adversaries, inputs, resolve, validate
from gan_jax.config.experiment import rebuild
from gan_jax.errors import UserError


def changed(path, value, name='dcgan'):
    """A shrunk config with one key set, given as 'a.b.c'; the value DELETE removes it."""
    config = methods.shrunk(name)
    *parents, last = path.split('.')
    node = config
    for key in parents:
        node[key] = dict(node[key])
        node = node[key]
    if value is DELETE:
        del node[last]
    else:
        node[last] = value
    return config


DELETE = object()


def check(config):
    validate.check(config)
    inputs.check_augment(config)
    validate.check_batches(config, 1)
    return rebuild(config)


@pytest.mark.parametrize('name', methods.CONFIGS)
def test_the_real_configs_are_right(name):
    check(methods.shrunk(name))
    whole = methods.load_config(name).to_dict()
    validate.check(whole)
    validate.check_batches(whole, 1)


@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        ('batchsize', 3, 'config.batchsize is not a key; did you mean config.batch_size?'),
        ('data.spilt', 'test', 'did you mean config.data.split?'),
        ('augment.rotate', 1.0, 'did you mean config.augment.rotation?'),
        ('generator.widht', 3, 'did you mean config.generator.width?'),
        ('generator.width', 'wide', "config.generator.width='wide' must be an integer"),
        ('generator.width', -1, 'config.generator.width=-1 must be at least 0'),
        ('generator.name', 'mlp.generator', "nearest valid name is 'mlp.Generator'"),
        ('generator', 'dcgan', 'must be a dict with a name'),
        (
            'optimizers.generator.nestrov',
            True,
            'did you mean config.optimizers.generator.nesterov?',
        ),
        ('optimizers.generator.learning_rate', DELETE, 'generator.learning_rate is missing'),
        ('optimizers.generator', DELETE, 'every player needs an optimizer'),
        ('optimizers.genrator', {}, 'did you mean config.optimizers.generator?'),
        ('optimizers.generator.clip_norm', -1.0, 'must be at least 0'),
        ('ema.generator.halflife', 3, 'did you mean config.ema.generator.half_life?'),
        ('ema.genrator', {}, 'did you mean config.ema.generator?'),
        ('ema', DELETE, 'config.ema is missing'),
        ('latent.size', 0, 'config.latent.size=0 must be at least 1'),
        ('latent.name', 'nromal', "nearest valid name is 'normal'"),
        ('latent', DELETE, 'config.latent is missing'),
        ('objective', 'nonsaturating', "'non_saturating'"),
        ('precision', 'float16', "'bfloat16'"),
        ('penalties', {'r3': {'weight': 1.0}}, "config.penalties 'r3' is unknown"),
        ('penalties', {'r1': 3}, "must be a dict such as {'weight': 5.0}"),
        ('penalties', {'r1': {'weigth': 1.0}}, 'did you mean config.penalties.r1.weight?'),
        ('penalties', {'r1': {'weight': 1.0, 'every': 0}}, 'every=0 must be at least 1'),
        ('generator_every', 0, 'config.generator_every=0 must be at least 1'),
        ('generator_every', 2.5, 'config.generator_every=2.5 must be an integer'),
        ('steps', 0, 'config.steps=0 must be at least 1'),
        ('data.max_pixels', 0, 'config.data.max_pixels=0 must be at least 1'),
        ('steps', 2.5, 'config.steps=2.5 must be an integer'),
        ('seed', -1, 'config.seed=-1 must be at least 0'),
        ('log_every', True, 'config.log_every=True must be an integer'),
        ('augment.rotation', 'much', "config.augment.rotation='much' must be a number"),
        ('augment.rotation', 400.0, 'rotation must be from 0 to 180'),
        ('data.channels', 2, 'config.data.channels=2 must be 1, 3 or None'),
        ('data.max_bad', -0.1, 'config.data.max_bad=-0.1 must be at least 0'),
        ('micro_batches', 3, 'use a multiple of 3, such as 15'),
        ('steps_per_dispatch', 7, 'is not a multiple of config.steps_per_dispatch=7'),
        ('game', 'cyclegam', "config.game 'cyclegam' is unknown"),
        ('modality.shape', [17, 17, 1], 'set image_size to one of these'),
        ('generator.width', 0, 'the networks cannot be built'),
        ('generator.name', 'dcgan.Discriminator', 'the networks cannot be built'),
        ('data.max_bad', DELETE, 'config.data.max_bad is missing'),
        ('penalties', None, 'must be a dict'),
        ('ema.generator', 5, 'must be a dict with a half_life'),
        ('seed', 2**32, 'must be below 4294967296'),
        ('num_replicas', 0, 'config.num_replicas=0 must be at least 1'),
        ('cures.packing', 0, 'config.cures.packing=0 must be at least 1'),
        ('cures.packing', 5, 'in packs of 5; use a multiple of 5'),
        ('cures.top_k', 1.5, 'config.cures.top_k=1.5 must be at most 1'),
        ('cures.topk', 0.5, 'did you mean config.cures.top_k?'),
        ('objective', {'name': 'hinge', 'a': 1.0}, 'config.objective.a is not a key'),
        ('objective', {'name': 'minimax', 'label_smoothing': 2.0}, 'label_smoothing must be'),
        ('penalties', {'consistency': {'weight': 1.0}}, 'transform must be a dict'),
        ('penalties', {'r1': {'weight': 1.0, 'target': 1}}, 'config.penalties.r1.target is not'),
        ('discriminator.minibatch', 'stdev', 'the networks cannot be built for images: minibatch='),
        (
            'optimizers.generator.learning_rate',
            {'name': 'cosine_decay', 'init_value': 1.0},
            'learning_rate.name',
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(path, value, words):
    with pytest.raises(UserError) as caught:
        check(changed(path, value))
    message = str(caught.value)
    assert words in message
    assert '\n' not in message


def test_a_discriminator_is_no_generator():
    with pytest.raises(UserError, match=r'is it a generator\?'):
        check(changed('generator.name', 'mlp.Discriminator', 'gan'))


def test_networks_of_images_are_refused_for_points():
    config = methods.shrunk('dcgan') | {'image_size': None}
    config['modality'] = {'name': 'points', 'shape': [2]}
    with pytest.raises(UserError, match=r'cannot be built for points: .*mixture and mlp'):
        check(config)


def test_a_batch_is_divided_among_devices_and_micro_batches():
    config = methods.shrunk('gan') | {'batch_size': 48, 'micro_batches': 2}
    validate.check_batches(config, 8)
    with pytest.raises(UserError, match=r'batch_size=48.*16 devices.*multiple of 32, such as 64'):
        validate.check_batches(config, 16)


def test_names_become_what_they_stand_for():
    config = changed('penalties', {'r1': {'weight': 5.0, 'every': 4}})
    game = resolve.resolve_game(config)(shape=(16, 16, 1))
    assert [turn.label for turn in game.turns] == [
        'discriminator',
        'discriminator_r1',
        'generator',
    ]
    assert [turn.every for turn in game.turns] == [1, 4, 1]
    assert adversaries._objective('', 'minimax', None) == objectives.minimax


def test_a_lazy_penalty_corrects_its_players_optimizer():
    """The first Adam step is the learning rate: c = 4/5 of it for the discriminator."""
    config = changed('penalties', {'r1': {'weight': 5.0, 'every': 4}})
    params = {'w': jax.numpy.ones(1)}
    made = rebuild(config).optimizers
    for player, rate in (('generator', 2e-4), ('discriminator', 2e-4 * 4 / 5)):
        optimizer = made[player]
        with jax.numpy_dtype_promotion('standard'):
            updates, _ = optimizer.update(params, optimizer.init(params), params)
        assert float(updates['w'][0]) == pytest.approx(-rate, rel=1e-3)


def test_nearest_finds_a_name_for_anything():
    assert errors.nearest('stpes', ['steps', 'seed']) == 'steps'
    assert errors.nearest('zzz', ['steps']) == 'steps'
    assert errors.nearest('x', []) == '(none)'
