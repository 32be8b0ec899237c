"""What a config says of classes and codes that are read off of examples."""

import functools
import math
from typing import Any

from gan_jax import class_losses, losses
from gan_jax.config.adversaries import BuiltIn, Later
from gan_jax.config.bounds import check_number, table
from gan_jax.config.checks import (
    Kind,
    arguments,
    check_arguments,
    check_keys,
    check_options,
    fitting,
    functions,
    functions_with,
    gives,
    named,
    part,
)
from gan_jax.errors import UserError
from gan_jax.games.class_heads import ClassHead
from gan_jax.games.infogan import Code
from gan_jax.games.semi_supervised import Classification
from gan_jax.runtime import parallel

WEIGHT = 'weight'
GIVEN = ('axis_name',)


def class_head(what: str, value: Any) -> Later:
    """The resolver of {'name': a ClassLoss of gan_jax.class_losses, 'weight', **options}."""
    if not value:
        return lambda built_in: None
    function, kwargs = named(what, value, _losses())
    kwargs = dict(kwargs)
    weight = kwargs.pop(WEIGHT, 1.0)
    check_number(f'{what}.{WEIGHT}', weight, float, 0)
    check_arguments(what, function, kwargs, GIVEN)
    check_options(what, function, kwargs, 0)
    given = {'axis_name': parallel.AXIS} if 'axis_name' in arguments(function) else {}
    loss = fitting(what, functools.partial(function, **given, **kwargs))

    def build(built_in: BuiltIn) -> ClassHead:
        # Of a draft, whose data are not known, the number of classes is never asked.
        outputs = loss.per_class * (built_in['classes'] or 0)
        return ClassHead(loss.discriminator, loss.generator, outputs, loss.features, weight)

    return build


def _losses() -> Kind:
    """The functions that make a ClassLoss."""
    made, loss = functools.partial(gives, kind=class_losses.ClassLoss), class_losses.ClassLoss
    return Kind(
        {name: x for name, x in functions_with(class_losses).items() if made(x)},
        made,
        f'a function that is annotated to return a {loss.__module__}.{loss.__name__}',
    )


# The bound of each code of latents.coded, and what it cannot exceed for so many of them.
BOUNDS = {
    'category': (class_losses.categorical_information, math.log),
    'continuous': (
        class_losses.uniform_information,
        lambda size: size * (math.log(2) - math.log(2 * math.pi) / 2),
    ),
}
SIZES = {'category': 'categories', 'continuous': 'continuous'}  # what says how many there are


def information(what: str, value: Any) -> Later:
    """The resolver of {name of a code: the weight of its bound}."""
    table(what, value)
    check_keys(what, value, BOUNDS)
    for name, weight in value.items():
        check_number(f'{what}.{name}', weight, float, 0)
    if not value:
        raise UserError(f"{what}={{}} weighs no code; give {{'category': 1.0}}, say")

    def build(built_in: BuiltIn) -> tuple[Code, ...]:
        codes = []
        for name, weight in value.items():
            bound, ceiling = BOUNDS[name]
            codes.append(Code(name, bound, weight, ceiling(built_in[SIZES[name]] or 1)))
        return tuple(codes)

    return build


def classification(what: str, value: Any) -> Later:
    """The resolver of {'weight'} of the cross-entropy of the labels that are known."""
    table(what, value)
    check_keys(what, value, (WEIGHT,))
    weight = value.get(WEIGHT, 1.0)
    check_number(f'{what}.{WEIGHT}', weight, float, 0)
    return lambda built_in: Classification(class_losses.cross_entropy, weight)


def matching(what: str, value: Any) -> Later:
    """The resolver of the size of a gap of mean features, a function of gan_jax.losses."""
    size = part(what, value, functions(losses, 'gap'))
    match = functools.partial(
        losses.feature_statistics_matching, axis_name=parallel.AXIS, size=size
    )
    return lambda built_in: match
