"""Samples from trained players: pictures, grids and the way between latents."""

import math
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from gan_jax import data, keys
from gan_jax import game as game_lib
from gan_jax import latents as latents_lib
from gan_jax.errors import UserError
from gan_jax.modalities import points as pictures
from gan_jax.runtime import files, parallel

SHOWN = 1000  # samples in a picture at most
CHUNK = 100  # samples to a call, so that memory does not grow with the number asked for
PIXELS = 400_000  # of sources to a call


def make(game: game_lib.Game) -> Callable[..., jax.Array]:
    """(params, aux, inputs) -> what a game makes: samples of latents, or images of sources."""
    if 'sample' not in game.functions:
        return game.functions['a_to_b']
    return lambda params, aux, latents: game.functions['sample'](params, aux, latents)['image']


def parts(inputs: Any) -> Iterator[tuple[np.ndarray, int]]:
    """Inputs part by part, each with the size that it is filled up to, the same for all."""
    shape, size = inputs[:1].shape, CHUNK
    if len(shape) == 4:
        size = min(CHUNK, max(1, PIXELS // (shape[1] * shape[2])))
    for start in range(0, len(inputs), size):
        yield np.asarray(inputs[start : start + size]), size


def filled(part: np.ndarray, size: int) -> np.ndarray:
    """With zeros up to so many, so that one compiled program serves all parts."""
    return np.pad(part, ((0, size - len(part)), *((0, 0),) * (part.ndim - 1)))


def make_sampler(game: game_lib.Game) -> Callable[..., np.ndarray]:
    """(params, aux, inputs) -> images, uint8 [n, height, width, channels].

    Inputs are latents [n, size] or what is sliced like an array of sources. Of a game of points
    they are the points, float32 [n, 2].
    """

    def apply(variables: Any, inputs: jax.Array) -> jax.Array:
        made = make(game)(*variables, inputs)
        return data.denormalize(made) if made.ndim == 4 else made

    sample = parallel.over_examples(apply)

    def sampler(params: Any, aux: Any, inputs: Any) -> np.ndarray:
        found = [
            np.asarray(sample((params, aux), filled(part, size)))[: len(part)]
            for part, size in parts(inputs)
        ]
        return np.concatenate(found)

    return sampler


def draw_latents(game: game_lib.Game, seed: int, num: int, **options: Any) -> chex.Array:
    """Latents [num, size] that depend on the seed and on their own place only.

    Raises:
      UserError: if the prior does not know an option.
    """
    root = keys.fold_in_name(jax.random.key(seed), 'samples')
    try:
        return game.functions['latent'](keys.per_example(root, num), **options)
    except (TypeError, ValueError) as error:
        raise UserError(f'this latent prior cannot be drawn so: {error}') from error


def grid(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Tiles images [n, h, w, c] into one, row by row; as square as n allows by default."""
    num, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas.astype(np.uint8)


def show(examples: np.ndarray) -> np.ndarray:
    """A picture of real examples, uint8 [h, w, c]: a grid of images, or points."""
    if examples.ndim == 4:
        return grid(examples)
    return pictures.scatter(examples, examples[:0], None, pictures.bounds(examples))


def make_picture(
    game: game_lib.Game, real: np.ndarray, latents: chex.Array
) -> Callable[[Any, Any], np.ndarray]:
    """Builds what draws the state of a game.

    Args:
      game: the game.
      real: real examples as the data set has them; points are shown beside the generated ones.
      latents: of the samples to show, [n, size].

    Returns:
      (params, aux) -> uint8 [h, w, c]: a grid of samples; of points, real and generated ones over
      the discriminator's field.
    """
    sampler = make_sampler(game)
    if real.ndim == 4:
        return lambda params, aux: grid(sampler(params, aux, latents))
    box = pictures.bounds(real)
    places = pictures.field_points(box)
    score = jax.jit(game.functions['score'])

    def draw(params: Any, aux: Any) -> np.ndarray:
        side = math.isqrt(len(places))
        field = np.asarray(score(params, aux, {'image': places})).reshape(side, side)
        return pictures.scatter(real, sampler(params, aux, latents), field, box)

    return draw


def write_png(file: pathlib.Path, image: np.ndarray) -> None:
    """Writes uint8 [h, w, 1 or 3] whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    files.replace(file, picture.save)


def interpolation(latents: chex.Array, columns: int = 10) -> chex.Array:
    """Spherical interpolations [pairs * columns, size] between latents 2i and 2i + 1."""
    start, end = latents[0::2], latents[1::2]
    fractions = jnp.linspace(0.0, 1.0, columns)
    between = jax.vmap(lambda t: latents_lib.slerp(start, end, t), out_axes=1)(fractions)
    return between.reshape(-1, latents.shape[-1])


def write_samples(
    workdir: pathlib.Path,
    game: game_lib.Game,
    variables: tuple[Mapping[str, Any], Any],
    *,
    name: str,
    num: int,
    seed: int,
    truncation: float | None = None,
    real: np.ndarray | None = None,
) -> list[pathlib.Path]:
    """Writes generated/<name>.{png,npz} and, for images, an interpolation grid beside it.

    Args:
      workdir: where the folder `generated` is made.
      game: the game.
      variables: (params, aux) to sample with.
      name: the files' name; `_truncation_<truncation>` is added where that is given.
      num: how many samples.
      seed: the latents' seed; sample i is the same whatever `num`.
      truncation: the bound of the latents' coordinates.
      real: of points, real ones to show beside the samples; None for images.

    Returns:
      The files.
    """
    sampler = make_sampler(game)
    options = {} if truncation is None else {'truncation': truncation}
    latents = draw_latents(game, seed, num, **options)
    samples = sampler(*variables, latents)
    name += f'_truncation_{truncation}' if options else ''
    folder = workdir / 'generated'
    folder.mkdir(exist_ok=True)
    picture, arrays, between = (
        folder / f'{name}{end}' for end in ('.png', '.npz', '_interpolation.png')
    )
    content: dict[str, Any] = {'points' if samples.ndim == 2 else 'images': samples}
    files.replace(arrays, lambda file: np.savez_compressed(file, **content))
    if real is not None:
        write_png(picture, make_picture(game, real, latents)(*variables))
        return [picture, arrays]
    write_png(picture, grid(samples[:SHOWN]))
    pairs = draw_latents(game, seed, 16, **options)
    write_png(between, grid(sampler(*variables, interpolation(pairs)), columns=10))
    return [picture, arrays, between]
