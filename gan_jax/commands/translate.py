"""--mode=translate: a folder's pictures or sounds through a run's translator, at their sizes."""

import functools
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from PIL import Image

from gan_jax import modalities
from gan_jax.commands import folders, recordings, tiles
from gan_jax.config import experiment, saved
from gan_jax.config.checks import check_name
from gan_jax.data import cleaning, pictures, transforms
from gan_jax.errors import UserError, one_line, printable
from gan_jax.runtime import files, processes

DIRECTIONS = ('a_to_b', 'b_to_a')
LARGEST = 512  # pixels; one that would be longer on a side, or become so, is cut into tiles
QUALITY = 95  # of JPEG, WebP and AVIF
NOT_AN_IMAGE = 'not an image'

FOREIGN = frozenset({'.heic', '.heif', '.svg'})  # pictures that Pillow does not know


class Picture(NamedTuple):
    """A picture as a translator meets it.

    Attributes:
      source: float32 [height, width, channels] in [-1, 1]; a mask in the last channel is 0 or 1.
      format: Pillow's name for the format of its file.
      several: whether that holds further frames.
    """

    source: np.ndarray
    format: str
    several: bool = False


def translate(
    workdir: pathlib.Path,
    *,
    input: str,
    output: str,
    direction: str = 'a_to_b',
    best: bool = False,
    replica: int = 0,
) -> int:
    """Translates the files of a folder by the run in `workdir`, with running averages if kept.

    Pictures are sources; of sounds sources are made as in training, and sources are also read from
    .npy files (`recordings`).

    Args:
      workdir: a run's work directory.
      input: a folder, its files in any nesting, or one file.
      output: the folder where they go, under the same relative names.
      direction: 'a_to_b', or 'b_to_a' where the game has it.
      best: from the best checkpoint by the evaluated figure, not the newest.
      replica: which of the run's seeds, counted from 0.

    Returns:
      How many could be read, and so were translated.

    Raises:
      UserError: if there is no run, it has no checkpoint, it does not translate in this direction,
        there are no files, or the output cannot be written or would overwrite them.
    """
    folder_in, folder_out = (pathlib.Path(os.path.expanduser(x)) for x in (input, output))
    modality = modalities.make(saved.read_config(workdir)['modality'])
    recorded = modality.recordings
    kind = folders.PICTURES if recorded is None else recordings.kind(recorded)
    planned = processes.on_first(lambda: folders.plan(folder_in, folder_out, files=kind))
    run = experiment.restore(workdir, best)
    if recorded is not None:
        function = function_of(run, str(workdir), direction)
        held = run.experiment
        way = recordings.Way(
            function, run.variables(replica), held.degrade, held.source_shape, modality
        )
        return _all(planned, recordings.make_translator(way, planned.root))
    translator, channels = of_run(run, str(workdir), direction, replica)
    max_pixels = run.experiment.config['data']['max_pixels']
    return _all(planned, of_pictures(planned.root, translator, channels, max_pixels))


def function_of(run: experiment.Run, what: str, direction: str) -> Callable:
    """A run's function of sources.

    Args:
      run: the run.
      what: its name, for messages.
      direction: 'a_to_b', or 'b_to_a' where the game has it.

    Raises:
      UserError: if it does not translate in this direction.
    """
    functions = run.experiment.game.functions
    valid = [name for name in DIRECTIONS if name in functions]
    if not valid:
        raise UserError(
            f'{what} holds a run of the game {run.experiment.config["game"]!r}, which '
            f'translates nothing; name a run that translates {" or ".join(DIRECTIONS)}, of pix2pix '
            f'or cyclegan'
        )
    check_name('--direction', direction, valid)
    return functions[direction]


def of_run(
    run: experiment.Run, what: str, direction: str, replica: int
) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """A run's translator of pictures, see `make_translator`, and the channels of its sources.

    Args:
      run: the run.
      what: its name, for messages.
      direction: 'a_to_b', or 'b_to_a' where the game has it.
      replica: which of its seeds, counted from 0.

    Raises:
      UserError: if it does not translate in this direction, or no pictures.
    """
    function = function_of(run, what, direction)
    modality = run.experiment.modality
    if modality.thumbnails is None or modality.recordings is not None:
        raise UserError(f'{what} holds a run that translates no pictures; name one that does')
    height, width, channels = run.experiment.source_shape
    size, variables = (height, width), run.variables(replica)
    return make_translator(function, variables, size=size, channels=channels), channels


def translate_folder(
    function: Callable,
    variables: tuple[Any, Any],
    folder_in: pathlib.Path,
    folder_out: pathlib.Path,
    *,
    size: tuple[int, int],
    channels: int,
    largest: int = LARGEST,
    max_pixels: int = pictures.MAX_PIXELS,
) -> int:
    """Translates every picture under a folder; what cannot be read is named in the log.

    Args:
      function: (params, aux, sources [n, h, w, channels]) -> images [n, f h, f w, 1 or 3], both
        float32 in [-1, 1].
      variables: (params, aux).
      folder_in: a folder, its files in any nesting, or one file. Hidden ones are left out.
      folder_out: where the translations go, under the same relative names and in the same formats;
        `.png` is added to the names of those that cannot be written in theirs.
      size: the height and width that the translator was trained on.
      channels: 1 (grey), 3 (RGB), or one more for a mask of missing pixels.
      largest: the longest side in pixels that is translated whole, if no less than `size`.
      max_pixels: the most pixels of a picture that is read.

    Returns:
      How many could be read, and so were translated.

    Raises:
      UserError: if there are no files, or the output is no place for them (`folders.plan`).
    """
    planned = processes.on_first(lambda: folders.plan(folder_in, folder_out))
    translator = make_translator(function, variables, size=size, channels=channels, largest=largest)
    return _all(planned, of_pictures(planned.root, translator, channels, max_pixels))


def of_pictures(
    root: pathlib.Path,
    translator: Callable[[np.ndarray], np.ndarray],
    channels: int,
    max_pixels: int,
) -> Callable[[str], folders.Result | cleaning.BadRecord]:
    """(a picture's name within `root`) -> what is written of it, or why it cannot be read."""
    pictures.permit(max_pixels)

    def translated(name: str) -> folders.Result | cleaning.BadRecord:
        try:
            picture = read(root / name, channels, max_pixels)
            return encoded(translator(picture.source), picture)
        except cleaning.BadRecord as error:
            return error

    return translated


def _all(planned: folders.Plan, translated: Callable[[str], Any]) -> int:
    """Translates every file of a plan; returns how many could be."""
    bad, several = [], []
    for name, result in zip(
        planned.outputs, processes.shared_out(translated, [*planned.outputs]), strict=True
    ):
        try:
            further = processes.on_first(functools.partial(write, planned, name, result))
        except cleaning.BadRecord as error:
            bad.append(f'{printable(name)} ({error})')
            logging.warning('%s cannot be read (%s)', printable(planned.root / name), error)
            continue
        several += [printable(name)] if further else []
    planned.report(bad, several)
    return len(planned.outputs) - len(bad)


def read(file: pathlib.Path, channels: int, max_pixels: int = pictures.MAX_PIXELS) -> Picture:
    """One picture, upright; of several frames the first.

    Args:
      file: the picture.
      channels: see `to_source`.
      max_pixels: the most that it may have.

    Raises:
      BadRecord: if it cannot be used: not an image, unreadable, truncated, of the wrong mode, or
        too large.
    """
    if file.suffix.lower() not in Image.registered_extensions().keys() | FOREIGN:
        raise cleaning.BadRecord(NOT_AN_IMAGE)
    opened: Any = cleaning.guarded(pictures.opened, file)
    with opened:
        format, several = opened.format, pictures.several(opened)
        image = cleaning.picture(opened, 1, max_pixels)
        return Picture(cleaning.guarded(to_source, image, channels), format, several)


def to_source(image: Image.Image, channels: int) -> np.ndarray:
    """A picture's colours as a translator's input.

    Args:
      image: a decoded picture of a mode in cleaning.MODES.
      channels: 1 (grey) or 3 (RGB), transparent pixels over white; or one more, 2 or 4, for a mask
        of missing pixels. These are the ones whose alpha is less than half; without
        transparency there are none.

    Returns:
      float32 [height, width, channels] in [-1, 1]; in the last of 2 or 4 channels 1 is missing and
      0 known, and the others are 0 where it is 1.
    """
    colours = channels - (channels % 2 == 0)
    masked = channels != colours and image.has_transparency_data
    missing = np.zeros((image.height, image.width, 1), bool)
    if masked:
        image = image.convert('RGBA')
        missing = np.asarray(image)[..., 3:] < 128
        image = image.convert('RGB')  # this drops alpha; transforms.convert would lay it over white
    pixels = np.asarray(transforms.convert(image, colours)).reshape(*missing.shape[:2], colours)
    source = np.where(missing, np.float32(0), transforms.normalize(pixels))
    if channels == colours:
        return source
    return np.concatenate([source, missing.astype(np.float32)], axis=-1)


def make_translator(
    function: Callable,
    variables: tuple[Any, Any],
    *,
    size: tuple[int, int],
    channels: int,
    largest: int = LARGEST,
) -> Callable[[np.ndarray], np.ndarray]:
    """Builds what translates one picture of any size, see `tiles.over`.

    Returns:
      float32 [h, w, channels] -> uint8 [f h, f w, c].
    """
    translated = tiles.over(function, variables, size, (channels,), largest)
    return lambda source: transforms.denormalize(translated(source))


def encoded(image: np.ndarray, picture: Picture) -> folders.Result:
    """uint8 [h, w, 1 or 3] in the picture's format, or as PNG if it cannot be written in that."""
    try:
        content = files.encode(image, picture.format, quality=QUALITY)
    except (KeyError, OSError, ValueError):  # it is only read, or has no room for so many pixels
        return folders.Result(files.png(image), picture.format in Image.SAVE, picture.several)
    return folders.Result(content, False, picture.several)


def write(planned: folders.Plan, name: str, result: folders.Result | cleaning.BadRecord) -> bool:
    """Writes what became of a picture; whether its picture had further frames.

    Raises:
      BadRecord: that is the result, or if there is no name for a .png in another format's stead.
      UserError: if it cannot be written.
      OSError: if there is no space, or the disk fails.
    """
    if isinstance(result, cleaning.BadRecord):
        raise result
    file = planned.out / (planned.spare(name) if result.spare else planned.outputs[name])
    try:
        files.write_bytes(file, result.content)
    except OSError as error:
        if error.errno in files.NOT_OF_THE_PLACE:
            raise
        reason = error.strerror or one_line(error)
        raise UserError(f'{file} cannot be written ({reason}); give another --output') from error
    return result.several
