"""What a value of a config may be: the kinds of values, and one table of the common keys."""

import functools
import inspect
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from gan_jax.config.defaults import GROUPS
from gan_jax.errors import UserError

# (what, value) -> nothing; raises UserError unless the value is one of that kind.
Check = Callable[[str, Any], None]

LARGEST = {int: 2**31 - 1, float: 3.4e38}  # of an int32 and of a float32
LONGEST = 2**14  # pixels of a side
HUGE = 2**24  # more examples or units than any machine takes at once


def check_number(
    what: str,
    value: Any,
    kind: type,
    least: float | None = None,
    most: float | None = None,
    *,
    above: bool = False,
    below: bool = False,
) -> None:
    """Raises UserError unless the value is a finite number of that kind within the bounds.

    Args:
      what: the key.
      value: the value.
      kind: int, or float, of which integers are, too.
      least: the least that is allowed; None is the least that an int32 or a float32 holds.
      most: the most, likewise.
      above: whether it must be more than `least`.
      below: whether it must be less than `most`.
    """
    number = isinstance(value, (int, float) if kind is float else int)
    if not number or isinstance(value, bool):
        raise UserError(f'{what}={value!r} must be {"a number" if kind is float else "an integer"}')
    if value != value or value in (math.inf, -math.inf):
        raise UserError(f'{what}={value} must be finite')
    least = -LARGEST[kind] if least is None else least
    most = LARGEST[kind] if most is None else most
    if value < least or (above and value == least):
        raise UserError(f'{what}={value} must be {"above" if above else "at least"} {least}')
    if value > most or (below and value == most):
        raise UserError(f'{what}={value} must be {"below" if below else "at most"} {most}')


def whole(least: int | None = 0, most: int | None = None, **options: Any) -> Check:
    """Integers within bounds, as `check_number` has them."""
    return functools.partial(check_number, kind=int, least=least, most=most, **options)


def real(least: float | None = 0, most: float | None = None, **options: Any) -> Check:
    """Finite numbers within bounds, as `check_number` has them."""
    return functools.partial(check_number, kind=float, least=least, most=most, **options)


def switch(what: str, value: Any) -> None:
    """True or False."""
    if not isinstance(value, bool):
        raise UserError(f'{what}={value!r} must be True or False')


def word(what: str, value: Any) -> None:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise UserError(f"{what}={value!r} must be a name, such as {what}='x'")


def text(what: str, value: Any) -> None:
    """A text."""
    if not isinstance(value, str):
        raise UserError(f"{what}={value!r} must be a name; '' is none")


def table(what: str, value: Any) -> None:
    """A dict."""
    if not isinstance(value, Mapping):
        raise UserError(f'{what}={value!r} must be a dict; {{}} is an empty one')


def units(what: str, value: Any) -> None:
    """A sequence of numbers of units."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(f'{what}={value!r} must be a tuple of integers, such as (256, 512)')
    for one in value:
        check_number(f'{what}, of which {one!r} is one,', one, int, 1, HUGE)


def classes(what: str, value: Any) -> None:
    """A sequence of classes, by their names or their places from 0."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(f'{what}={value!r} must be a tuple of classes, such as (3,); () is all')
    for one in value:
        if not isinstance(one, str):
            check_number(f'{what}, of which {one!r} is one,', one, int, 0, HUGE)


def names(what: str, value: Any) -> None:
    """A sequence of names."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(
            f"{what}={value!r} must be a tuple of names, such as ('a', 'b'); () is none"
        )
    for one in value:
        word(f'{what}, of which {one!r} is one,', one)


def one_of(*valid: Any) -> Check:
    """One of a few values."""

    def check(what: str, value: Any) -> None:
        if isinstance(value, bool) or value not in valid:
            listed = ', '.join(map(repr, valid[:-1])) + f' or {valid[-1]!r}'
            raise UserError(f'{what}={value!r} must be {listed}')

    return check


def optional(check: Check) -> Check:
    """What another kind allows, or None."""

    def optionally(what: str, value: Any) -> None:
        if value is not None:
            check(what, value)

    return optionally


COUNT, EVERY, SHARE = whole(1), whole(), real(0, 1)

# The common keys whose kind their default does not say; names are looked up where they are used.
COMMON: dict[str, Check] = {
    **dict.fromkeys((*GROUPS, 'corruption', 'baseline', 'modality', 'init_config'), table),
    **dict.fromkeys(('penalties', 'optimizers', 'ema', 'privacy'), table),
    'seed': whole(0, 2**32, below=True),
    'steps': COUNT,
    'batch_size': whole(1, HUGE),
    'micro_batches': whole(1, HUGE),
    'steps_per_dispatch': whole(1, 10**6),
    'num_replicas': whole(1, 10**4),
    'num_samples': whole(1, HUGE),
    'eval_samples': whole(1, HUGE),
    'log_every': COUNT,
    'sample_every': EVERY,
    'checkpoint_every': EVERY,
    'eval_every': EVERY,
    'dataset': word,
    'image_size': optional(whole(1, LONGEST)),
    'init_from': optional(text),
    'wandb': text,
    'sample_labels': one_of('balanced', 'as_in_data'),
    'data.split': word,
    'data.options': table,
    'data.labelled': whole(0, HUGE),
    'data.only_classes': classes,
    'data.categorical': names,
    'data.target': text,
    'data.channels': one_of(1, 3, None),
    'data.max_bad': SHARE,
    'data.min_size': whole(1, LONGEST),
    'data.max_pixels': COUNT,
    'data.load_size': optional(whole(1, LONGEST)),
    'data.memory_gb': real(0, 10**6),
    'data.data_dir': optional(text),
    'data.length': optional(whole(2, LONGEST)),
    'data.rate': optional(whole(1000, 384_000)),
    'data.pieces': one_of('all', 'first'),
    'data.unit': one_of('characters', 'words'),
    'data.dictionary': text,
    'data.vocabulary': optional(whole(2, 20_000)),
    'cures.packing': whole(1, HUGE),
    'cures.label_flipping': SHARE,
    'cures.top_k': real(0, 1, above=True),
    'cures.unrolled_steps': whole(0, 1000),
    'cures.augmentation': table,
    'evaluation.split': optional(word),
    'evaluation.dataset': optional(word),
    'evaluation.repeats': whole(1, 1000),
}

# Arguments of optax's functions whose bounds their signatures do not say.
DECAY = real(0, 1, below=True)
OF_OPTAX: dict[str, Check] = {
    **dict.fromkeys(('b1', 'b2', 'b3', 'momentum', 'decay', 'weight_lr_power'), DECAY),
    **dict.fromkeys(('eps', 'eps_root', 'weight_decay', 'learning_rate'), real()),
    **dict.fromkeys(('init_value', 'peak_value', 'end_value', 'value', 'alpha'), real()),
    **dict.fromkeys(('exponent', 'power', 'decay_rate', 'div_factor'), real(0, above=True)),
    'final_div_factor': real(0, above=True),
    **dict.fromkeys(('pct_start', 'pct_final'), SHARE),
}


def check_value(
    what: str, value: Any, parameter: inspect.Parameter, least: float | None = None
) -> None:
    """Raises UserError unless a value is of the kind that a signature says.

    Args:
      what: the key.
      value: the value.
      parameter: of the function or the network that takes it.
      least: the least that a number may be, if there is one.
    """
    check = kind_of(parameter.annotation, parameter.default, least)
    if check is not None:
        check(what, value)


def kind_of(annotation: Any, default: Any, least: float | None) -> Check | None:
    """The kind of a parameter; None if neither its default nor its annotation says one."""
    members = typing.get_args(annotation)
    if type(None) in members:
        own = [x for x in members if x is not type(None)]
        of = own[0] if len(own) == 1 else typing.Union[tuple(own)]  # noqa: UP007
        inner = kind_of(of, default, least)
        return inner and optional(inner)
    for kind in (type(default), annotation):
        if kind in _KINDS:
            return _KINDS[kind](least)
    if annotation == jax.typing.ArrayLike:
        return real(least)
    return units if annotation == Sequence[int] else None


_KINDS: dict[type, Callable[[Any], Check]] = {
    bool: lambda least: switch,
    int: whole,
    float: real,
    str: lambda least: text,
}
