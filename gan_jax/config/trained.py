"""Players that were trained elsewhere: exported ones, and official StyleGAN2's.

What `config.init_from` names is one of three things: the work directory of a run, a folder that
--mode=export wrote, or a network pickle of StyleGAN2's authors.
"""

import hashlib
import pathlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from gan_jax.config import saved
from gan_jax.errors import UserError
from gan_jax.game import Game
from gan_jax.networks.stylegan2 import official
from gan_jax.networks.torch_files import modules
from gan_jax.runtime import buckets, files, tensor_files

DIGEST = 'sha256'  # what a config keeps of the file or the files, to know them again
MOST_CONFIG = 2**24  # bytes of an exported config
CHANNELS = (1, 3)  # of images that can be shown


def is_pickle(where: pathlib.Path) -> bool:
    """Whether that is a file, or something else that is no folder."""
    return not buckets.is_bucket(where) and where.exists() and not where.is_dir()


def is_export(where: pathlib.Path) -> bool:
    """Whether that is a folder with exported players."""
    return not buckets.is_bucket(where) and any(where.glob(f'*{tensor_files.SUFFIX}'))


def is_run(where: pathlib.Path) -> bool:
    """Whether that is neither, and so a run's work directory, or nothing."""
    return not is_pickle(where) and not is_export(where)


def file_of(folder: pathlib.Path, player: str) -> pathlib.Path:
    """Where a player is exported to."""
    return folder / f'{player}{tensor_files.SUFFIX}'


def flat(player: str, params: Mapping[str, Any], aux: Mapping[str, Any]) -> dict[str, Any]:
    """A player's arrays, params/... and aux/..., by their paths."""
    tree = {'params': params[player], 'aux': aux.get(player, {})}
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator='/'): x for path, x in leaves}


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def exported_config(folder: pathlib.Path) -> dict[str, Any]:
    """The config of the run that was exported.

    Raises:
      UserError: if there is none, or it is no such file.
    """
    if (folder / saved.CONFIG).exists():
        files.contents(folder / saved.CONFIG, MOST_CONFIG)  # no pipe, and not too long
    return saved.read_config(folder)


def record(where: pathlib.Path) -> dict[str, Any]:
    """What a config keeps of what it begins with: the other's config, or what stands for one.

    Raises:
      UserError: if it cannot be read.
    """
    if is_pickle(where):
        raw = files.contents(where, modules.MOST_BYTES)
        return {**networks(official.parse(raw, where), where), DIGEST: _digest([raw])}
    if is_export(where):
        parts = (
            files.contents(file, tensor_files.MOST_BYTES)
            for file in sorted(where.glob(f'*{tensor_files.SUFFIX}'))
        )
        return {**exported_config(where), DIGEST: _digest(parts)}
    return saved.read_config(where)


def networks(weights: official.Official, where: pathlib.Path) -> dict[str, Any]:
    """The keys of a config that say which networks a pickle has, and of which images.

    Raises:
      UserError: if their images are neither grey nor in colours.
    """
    size, _, channels = weights.shape
    if channels not in CHANNELS:
        raise UserError(
            f'{where}: its images have {channels} channels, and only 1 or 3 can be shown; '
            f'use gan_jax.networks.stylegan2.official, which returns arrays'
        )
    fields = {key: x for key, x in weights.generator.fields.items() if key != 'latent_size'}
    return {
        'game': 'stylegan2',
        'latent': {'name': 'normal', 'size': weights.generator.fields['latent_size']},
        'generator': {'name': 'stylegan2.Generator', **fields},
        'discriminator': {'name': 'stylegan2.Discriminator', **weights.discriminator.fields},
        'image_size': size,
        'modality': {
            'name': 'images',
            'shape': list(weights.shape),
            'classes': weights.classes or None,
        },
    }


def read(where: pathlib.Path, wanted: Any) -> Any:
    """(params, aux) of the players of a pickle or an export that a game has, too.

    Args:
      where: what `init_from` names.
      wanted: (params, aux) of the game, of which only shapes and types are looked at.

    Raises:
      UserError: if it cannot be read.
    """
    if is_pickle(where):
        weights = official.load(where)
        params, aux = {}, {}
        for player in ('generator', 'discriminator'):
            variables = dict(getattr(weights, player).variables)
            params[player], aux[player] = variables.pop('params'), variables
        return params, aux
    params, aux = {}, {}
    for player in sorted(wanted[0]):
        if not file_of(where, player).exists():
            continue
        tree = {'params': wanted[0][player], 'aux': wanted[1].get(player, {})}
        arrays = tensor_files.read(file_of(where, player), flat(player, *wanted))
        leaves = [arrays[name] for name in flat(player, *wanted)]
        tree = jax.tree.unflatten(jax.tree.structure(tree), leaves)
        params[player], aux[player] = tree['params'], tree['aux']
    return params, aux


def constant(game: Game) -> list[str]:
    """The players of a game that no turn moves, and that so have to come from elsewhere."""
    return [name for name in ('discriminator', 'generator') if name not in game.movers]


def fitted(
    where: pathlib.Path, given: Any, wanted: Any, needed: Collection[str] = ()
) -> tuple[Any, Any]:
    """(params, aux) of the players that a game has, too, if they have its shapes.

    Args:
      where: what `init_from` names.
      given: (params, aux) of other players.
      wanted: (params, aux) of the game, of which only shapes are looked at.
      needed: players that have to be among them.

    Raises:
      UserError: if there is none, one of the needed is missing, or one has other shapes.
    """
    params, aux = given
    shared = sorted(params.keys() & wanted[0].keys())
    for name in sorted({*needed} - {*shared}):
        raise UserError(
            f'config.init_from={where} has no {name}, which this game does not train; name a run '
            f'of a GAN, such as wgan_gp'
        )
    if not shared:
        raise UserError(
            f'config.init_from={where} has the players {", ".join(sorted(params))}, and this '
            f'game {", ".join(sorted(wanted[0]))}; name a run with one of these'
        )
    for name in shared:
        for own, other in zip(wanted, given, strict=True):
            difference = _difference(own.get(name, {}), other.get(name, {}))
            if difference:
                raise UserError(
                    f'config.init_from={where}: its {name} has other shapes than this one '
                    f'({difference}); give both the same network'
                )
    return {name: params[name] for name in shared}, aux


def _difference(own: Any, other: Any) -> str:
    """The first difference of two trees' shapes in words; empty if there is none."""
    here, there = (
        {'/'.join(path): np.shape(x) for path, x in traverse_util.flatten_dict(tree).items()}
        for tree in (own, other)
    )
    for name in sorted(here.keys() | there.keys()):
        if name not in there or name not in here:
            return f'{name} is only {"here" if name in here else "there"}'
        if here[name] != there[name]:
            return f'{name} is {there[name]} there, {here[name]} here'
    return ''
