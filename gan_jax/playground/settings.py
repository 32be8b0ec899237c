"""What can be changed on the page: a few keys of the config, and what there is to learn.

A page's settings are {key: text}, as in its link; the texts are read as the command line's
--config.key=text are, and are checked by the same lines.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import ml_collections

from gan_jax import data, objectives
from gan_jax.config import overrides
from gan_jax.config.experiment import Experiment, build
from gan_jax.data import synthetic
from gan_jax.errors import UserError, nearest
from gan_jax.playground import sets

SET, DRAWN = 'set', sets.DRAWN
RATES = {f'optimizers.{x}.learning_rate': x for x in ('generator', 'discriminator')}
AT_ONCE = (SET, DRAWN, *RATES)  # what needs no new program


class Control(NamedTuple):
    """One thing to change.

    Attributes:
      key: of the config.
      label: what the page calls it.
      group: under which heading.
      options: what there is to choose from; () for a number.
      low: the least number.
      high: the largest.
      whole: whether it is a whole one.
    """

    key: str
    label: str
    group: str
    options: tuple[str, ...] = ()
    low: float = 0
    high: float = 1
    whole: bool = False


def _objectives() -> tuple[str, ...]:
    return tuple(k for k, v in vars(objectives).items() if isinstance(v, objectives.Objective))


def _player(player: str, *own: Control) -> tuple[Control, ...]:
    """What both players have, and what is this one's own."""
    group, rate = player.capitalize(), f'optimizers.{player}.learning_rate'
    return (
        Control(rate, 'learning rate', group, low=1e-5, high=0.1),
        Control(f'{player}.width', 'width', group, low=1, high=256, whole=True),
        Control(f'{player}.depth', 'hidden layers', group, low=1, high=6, whole=True),
        *(control._replace(group=group) for control in own),
    )


CONTROLS = (
    Control('objective', 'objective', 'Game', _objectives()),
    Control('simultaneous', 'both at once', 'Game', ('False', 'True')),
    Control('batch_size', 'batch', 'Game', low=8, high=512, whole=True),
    *_player(
        'generator',
        Control('generator.norm', 'normalisation', '', ('none', 'batch')),
        Control('latent.name', 'latent', '', ('normal', 'uniform')),
        Control('latent.size', 'latent size', '', low=1, high=64, whole=True),
        Control('generator_every', 'plays every', '', low=1, high=20, whole=True),
    ),
    *_player(
        'discriminator',
        Control(
            'discriminator.minibatch', 'sees the batch by', '', ('', 'stddev', 'discrimination')
        ),
    ),
    Control('penalties.r1.weight', 'R1', 'Penalties', high=100),
    Control('penalties.r2.weight', 'R2', 'Penalties', high=100),
    Control('penalties.gradient_penalty.weight', 'gradient penalty', 'Penalties', high=100),
    Control('penalties.zero_centered.weight', 'zero-centred, between', 'Penalties', high=100),
    Control('penalties.dragan.weight', 'DRAGAN', 'Penalties', high=100),
    Control('penalties.lecam.weight', 'LeCam', 'Penalties', high=100),
    Control('cures.packing', 'packing', 'Cures', ('1', '2', '4')),
    Control('cures.instance_noise', 'noise', 'Cures', high=2),
    Control('cures.label_flipping', 'flipped labels', 'Cures', high=0.5),
    Control('cures.top_k', 'top-k share', 'Cures', low=0.1),
    Control('cures.unrolled_steps', 'unrolled steps', 'Cures', high=20, whole=True),
    Control('cures.historical_averaging', 'historical averaging', 'Cures', high=100),
    Control('num_replicas', 'side by side', 'Seeds', ('1', '2', '3', '4')),
    Control('seed', 'first seed', 'Seeds', high=10**6, whole=True),
)


def present(base: Mapping[str, Any], key: str) -> Any:
    """What a config says of a key; of a penalty that it has not, a weight of 0."""
    found: Any = base
    for part in key.split('.'):
        if not isinstance(found, Mapping) or part not in found:
            return 0.0 if key.startswith('penalties.') else None
        found = found[part]
    return found


def controls(base: Mapping[str, Any]) -> list[Control]:
    """Those that a config can be changed by: a schedule's rate is none of them."""
    plain = str, bool, int, float
    return [x for x in CONTROLS if isinstance(present(base, x.key), plain)]


def defaults(base: Mapping[str, Any]) -> dict[str, str]:
    """What the page begins with, {key: text}.

    Raises:
      UserError: if the config's data are none of the sets.
    """
    valid = sorted(synthetic.MIXTURES.keys() & sets.SETS.keys())
    if base['dataset'] not in valid:
        raise UserError(
            f'config.dataset={base["dataset"]!r}: the playground shows points of the plane; give '
            f'one of {", ".join(valid)}, or start from --config=configs/playground.py'
        )
    texts = {x.key: overrides.written(present(base, x.key)) for x in controls(base)}
    return {SET: base['dataset'], DRAWN: '', **texts}


def check(base: Mapping[str, Any], words: Mapping[str, Any]) -> None:
    """Raises UserError unless every key can be changed on the page, and no number is too large.

    What the command line said is let through as it is.
    """
    known, usual = {x.key: x for x in controls(base)}, defaults(base)
    valid = [*usual]
    for key, text in words.items():
        if key not in valid:
            raise UserError(
                f'{key[:80]!r} cannot be changed here; did you mean {nearest(key[:80], valid)!r}? '
                f'(all: {", ".join(valid)})'
            )
        if not isinstance(text, str):
            raise UserError(f'{key}={text!r} must be a text, as on the command line')
        if key in known and text != usual[key]:
            _check_value(known[key], text)


def _check_value(control: Control, text: str) -> None:
    key, options = control.key, control.options
    if options:
        if text not in options:
            raise UserError(
                f'{key}={text[:80]!r} is unknown; the nearest valid one is '
                f'{nearest(text[:80], options)!r} (all: {", ".join(x or repr(x) for x in options)})'
            )
        return
    try:
        number = int(text) if control.whole else float(text)
    except ValueError:
        kind = 'a whole number' if control.whole else 'a number'
        raise UserError(f'{key}={text[:80]!r} must be {kind}') from None
    if not control.low <= number <= control.high:  # nor is NaN
        raise UserError(f'{key}={text} must be from {control.low:g} to {control.high:g}')


class Chosen(NamedTuple):
    """What a page's settings stand for.

    Attributes:
      words: the settings, all of them.
      experiment: the game and all that it is played with; its own data set is not looked at.
      mixture: what is learned.
      rates: {player: learning rate}, of those that can be changed.
    """

    words: dict[str, str]
    experiment: Experiment
    mixture: data.Mixture
    rates: dict[str, float]


def choose(
    base: Mapping[str, Any], words: Mapping[str, Any], before: Chosen | None = None
) -> Chosen:
    """Checks a page's settings and builds what they stand for.

    Args:
      base: what the command line says.
      words: {key: text}; what is missing is as in `base`.
      before: what was chosen before: its experiment is kept if only rates or data differ.

    Raises:
      UserError: if any of it is wrong.
    """
    check(base, words)
    usual = defaults(base)
    whole = {**usual, **words}
    mixture = sets.find(whole[SET], whole[DRAWN])
    rates = {player: float(whole[key]) for key, player in RATES.items() if key in usual}
    for key in RATES:
        if key in usual and not float(usual[key]):
            raise UserError(f'config.{key}=0: the page changes it by a factor; give more than 0')
    if before is not None and not recompiles(before.words, whole):
        return Chosen(whole, before.experiment, mixture, rates)
    changed = [(k, x) for k, x in whole.items() if x != usual[k] and k not in (SET, DRAWN)]
    config = overrides.apply(ml_collections.ConfigDict(dict(base)), changed)
    experiment = build(config)
    _check_game(experiment)
    return Chosen(whole, experiment, mixture, rates)


def _check_game(experiment: Experiment) -> None:
    """Raises UserError unless points are made of latents alone, and scored."""
    functions, rng = experiment.game.functions, jax.random.split(jax.random.key(0), 1)
    able = {'prior', 'sample', 'score'} <= functions.keys()
    if not able or {*jax.eval_shape(functions['prior'], rng)} != {'latent'}:
        raise UserError(
            f'config.game={experiment.config["game"]!r} with these latents and networks cannot be '
            f'shown, since points must be made of latents alone; start from '
            f'--config=configs/playground.py'
        )


def recompiles(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether a change of settings needs a new program."""
    return any(old[key] != new[key] for key in old.keys() - {*AT_ONCE})
