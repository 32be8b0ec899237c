"""The class head that a config describes."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from gan_jax import class_losses
from gan_jax.config.adversaries import BuiltIn, Later
from gan_jax.config.bounds import check_number
from gan_jax.config.checks import (
    arguments,
    check_arguments,
    check_options,
    fitting,
    functions_with,
    named,
)
from gan_jax.games.class_heads import ClassHead
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


def _losses() -> Mapping[str, Any]:
    """The functions that make a ClassLoss."""
    return {
        name: function
        for name, function in functions_with(class_losses).items()
        if inspect.signature(function).return_annotation is class_losses.ClassLoss
    }
