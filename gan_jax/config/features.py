"""Feature networks as configs and flags name them."""

import pathlib
from typing import Any

from gan_jax import data
from gan_jax.errors import UserError
from gan_jax.evaluation import extractors
from gan_jax.modalities import Modality
from gan_jax.networks.features import FeatureNetwork
from gan_jax.runtime import own

CLASSIFIER = 'classifier'


def _theirs(name: str) -> bool:
    return name != CLASSIFIER and not name.startswith(extractors.INCEPTION)


def check(what: str, name: Any) -> None:
    """Raises UserError unless `extractors` knows the name; of the known ones loads nothing."""
    if not isinstance(name, str) or (_theirs(name) and not own.named(name)):
        raise UserError(
            f"{what}={name!r} must be '{CLASSIFIER}', '{extractors.INCEPTION}PATH' or '{own.FORM}'"
        )
    if _theirs(name):
        found = own.imported(what, name)
        if not callable(found) and not isinstance(found, FeatureNetwork):
            raise UserError(f'{what}={name} is neither a FeatureNetwork nor a function')


def load(
    name: str,
    modality: Modality,
    train: data.Dataset,
    test: data.Dataset | None,
    cache: pathlib.Path | None,
) -> FeatureNetwork:
    """The network of that name for examples of a modality, see `extractors.load`.

    Raises:
      UserError: if it cannot be had.
    """
    theirs = own.imported('features', name) if _theirs(name) else None
    return extractors.load(name, train, test, cache, thumbnails=modality.thumbnails, own=theirs)
