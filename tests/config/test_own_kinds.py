"""One's own part of every kind: looked up at once, with the options of its signature."""

import flax.linen as nn
import jax.numpy as jnp
import methods
import numpy as np
import optax
import pytest

from gan_jax import class_losses, data, game, objectives
from gan_jax.commands import evaluate
from gan_jax.config import experiment
from gan_jax.data import dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import figures, menu
from gan_jax.games import gan
from gan_jax.games.adversary import Augmentation
from gan_jax.games.network import Network

HERE = 'config.test_own_kinds'


class Critic(nn.Module):
    """A network."""

    scale: float = 1.0

    @nn.compact
    def __call__(self, x, train):
        return self.scale * nn.Dense(1)(x.reshape(len(x), -1))[:, 0]


def latent(rng, size: int, scale: float = 1.0):
    return jnp.zeros((len(rng), size)) + scale


def _side(real_logits, fake_logits, *, slope: float = 1.0):
    return slope * fake_logits


objective = objectives.Objective(_side, _side)


def penalty(critic, real, power: float = 2.0):
    return jnp.abs(critic(real)) ** power


def rules(*, critic: Network, generator: Network, adversary, prior, lead: int = 1) -> game.Game:
    return gan.make(
        generator=generator, discriminator=critic, adversary=adversary, prior=prior,
        generator_every=lead,
    )  # fmt: skip


def head(share: float = 0.5) -> class_losses.ClassLoss:
    del share
    return class_losses.acgan()


def changed(batch_size, channels, strength: float = 1.0):
    return Augmentation(dict, lambda rng, x, state: strength * x, lambda *_: {})


def worse(rng, images, share: float = 0.5):
    return share * images


def better(sources, gain: float = 2.0):
    return gain * sources


def steps(learning_rate, momentum: float = 0.5):
    return optax.sgd(learning_rate, momentum)


def rate(height: float, transition_steps: int) -> optax.Schedule:
    return optax.linear_schedule(height, 0.0, transition_steps)


@figures.gives(gap=figures.MORE)
def gap(real_examples, fake_examples):
    return {'gap': 1.0}


@figures.gives(gap=figures.LESS)
def asks(real_exampels):
    return {'gap': 1.0}


@figures.gives(recall=figures.LESS)
def taken(real_examples):
    return {'recall': 1.0}


def ramps(split, num: int = 3):
    """Grey images that are as bright as their numbers; none to test on."""
    labels = np.arange(num)
    images = np.zeros((num, 16, 16), np.uint8) + 10 * labels[:, None, None].astype(np.uint8)
    return (images, labels) if split == 'train' else None


def whole(split, kind: str = 'points'):
    """A data set that needs no reading."""
    if kind == 'points':
        return dataset.points('ring8', split)
    return data.load('mnist_5k', image_size=8, split=split)


def config(changes=None, base='gan', **more):
    made = methods.shrunk(base, **more)
    for key, value in (changes or {}).items():
        *path, last = key.split('.')
        node = made
        for part in path:
            node = node[part]
        if isinstance(value, dict) and 'name' in value:
            value = {**value, 'name': f'{HERE}:{value["name"]}'}
        node[last] = value
    return made


ADAM = {'name': 'adam', 'learning_rate': 0.1}
# Of each kind: where, the config that it is in, and an option with what is no value of it.
KINDS = {
    'network': ('discriminator', 'gan', {'name': 'Critic'}, 'scale', 'x'),
    'latent': ('latent', 'gan', {'name': 'latent', 'size': 8}, 'scale', 'x'),
    'objective': ('objective', 'gan', {'name': 'objective'}, 'slope', 'x'),
    'penalty': ('penalties.own', 'gan', {'name': 'penalty', 'weight': 1.0}, 'power', 'x'),
    'class head': ('class_head', 'acgan', {'name': 'head'}, 'share', 'x'),
    'augmentation': ('cures.augmentation', 'gan', {'name': 'changed'}, 'strength', 'x'),
    'corruption': ('corruption', 'colorization', {'name': 'worse'}, 'share', 'x'),
    'baseline': ('baseline', 'colorization', {'name': 'better'}, 'gain', 'x'),
    'optimizer': ('optimizers.generator', 'gan', {'name': 'steps', 'learning_rate': 0.1},
                  'momentum', 'x'),
    'schedule': ('optimizers.generator.learning_rate', 'gan',
                 {'name': 'rate', 'height': 0.1, 'transition_steps': 5}, 'height', 'x'),
}  # fmt: skip


@pytest.mark.parametrize('kind', KINDS)
def test_a_part_is_taken_with_its_options_and_no_others(kind):
    key, base, value, option, wrong = KINDS[kind]
    experiment.check(config({key: value}, base))
    near = rf'{key}\.\w*{option[:-1]} is not a key; did you mean config\.{key}\.{option}\?'
    with pytest.raises(UserError, match=near):
        experiment.check(config({key: {**value, option[:-1]: 1.0}}, base))
    with pytest.raises(UserError, match=rf'config\.{key}\.{option}=.*must be'):
        experiment.check(config({key: {**value, option: wrong}}, base))
    with pytest.raises(UserError, match=rf'config\.{key}\S*={HERE}:ADAM is of no use there: .* ne'):
        experiment.check(config({key: {**value, 'name': 'ADAM'}}, base))


def test_a_game_names_its_own_networks():
    own = config(game=f'{HERE}:rules', critic={'name': f'{HERE}:Critic', 'scale': 2.0}, lead=3)
    own = {key: x for key, x in own.items() if key != 'generator_every'}
    built = experiment.check(own)(shape=(16, 16, 1))
    assert [(turn.player, turn.every) for turn in built.turns] == [
        ('discriminator', 1), ('generator', 3),
    ]  # fmt: skip
    with pytest.raises(UserError, match=r'config\.lead=x|config\.lead=.x. must be an integer'):
        experiment.check(own | {'lead': 'x'})
    with pytest.raises(UserError, match=r'annotated to return a gan_jax\.game\.Game is needed'):
        experiment.check(own | {'game': f'{HERE}:config'})


def test_a_penalty_of_the_package_may_have_another_name_in_the_log():
    penalties = {'gentle': {'name': 'r1', 'weight': 0.1}, 'r1': {'weight': 1.0, 'every': 4}}
    made = experiment.check(config(penalties=penalties))(shape=(16, 16, 1))
    assert [turn.name for turn in made.turns] == ['', 'discriminator_r1', '']
    said = r"penalties\.gp=\{'name': 'a\.b:gp', 'weight': 1\.0\}"
    with pytest.raises(UserError, match=said):
        experiment.check(config(penalties={'a.b:gp': {'weight': 1.0}}))


def test_a_metric_names_evidence_that_there_is():
    def of(*names):
        return config({'evaluation.metrics': names, 'evaluation.best': 'gap'})

    experiment.check(of(f'{HERE}:gap', 'sliced_wasserstein'))
    assert menu.better('gap', [f'{HERE}:gap']) == 'more'
    chosen = {**of(f'{HERE}:gap')['evaluation'], 'best': 'gap'}
    built = experiment.build(with_data(num=20) | {'evaluation': chosen})
    assert evaluate.chosen_metrics(built, {}, 20)[0] == f'{HERE}:gap'  # beside the usual ones
    with pytest.raises(UserError, match=r'asks for real_exampels, .* did you mean real_examples'):
        experiment.check(of(f'{HERE}:asks'))
    with pytest.raises(UserError, match='gives recall, as one of the package does; rename it'):
        experiment.check(of(f'{HERE}:taken'))
    with pytest.raises(UserError, match=r'marked by gan_jax\.evaluation\.figures\.gives is needed'):
        experiment.check(of(f'{HERE}:config'))


def with_data(split='train', **options):
    own = {'dataset': f'{HERE}:ramps', 'data.options': options, 'data.split': split}
    return config({**own, 'image_size': None, 'data.channels': None})


def test_a_data_set_is_read_by_its_split_and_options():
    built = experiment.build(with_data(num=20))
    assert (len(built.dataset), built.dataset.shape) == (20, (16, 16, 1))
    assert built.config['modality']['classes'] == 20
    np.testing.assert_array_equal(built.dataset.batch(np.array([3]))['real'], 30)
    assert built.held_out is None  # it has no test split
    with pytest.raises(UserError, match=r"split='other': config\.test_own_kinds:ramps has no such"):
        experiment.build(with_data('other'))
    with pytest.raises(UserError, match=r'data\.options\.nums is not a key; did you mean .*num\?'):
        experiment.check(with_data(nums=2))
    with pytest.raises(UserError, match=r'data\.options=.*mnist_5k is no function'):
        experiment.check(config({'data.options': {'num': 3}}))
    with pytest.raises(UserError, match='whose first argument is split is needed'):
        experiment.check(config(dataset=f'{HERE}:latent'))


def test_a_whole_data_set_is_taken_as_it_is():
    built = experiment.build(config(base='ring8', dataset=f'{HERE}:whole'))
    assert (built.dataset.name, built.modality.name) == ('ring8', 'points')
    assert (len(built.dataset), len(built.held_out)) == (100_000, 10_000)
    own = config({'dataset': f'{HERE}:whole', 'data.options': {'kind': 'images'}})
    with pytest.raises(UserError, match=r'image_size=16: mnist_5k has images of \(8, 8, 1\)'):
        experiment.build(own)


def test_what_calls_itself_a_module_after_one_of_our_prefixes_is_a_path():
    with pytest.raises(UserError, match='does not exist; name a folder'):
        experiment.build(config(dataset='folder:nowhere'))
