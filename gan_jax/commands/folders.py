"""Which files of a folder are translated, and where to: found before anything is computed."""

import os
import pathlib
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from absl import logging
from PIL import Image

from gan_jax.data import cleaning, pictures
from gan_jax.errors import UserError, one_line, printable
from gan_jax.runtime import files

LONGEST = 255  # bytes of a name, where the file system does not say


class Plan(NamedTuple):
    """What becomes of a folder.

    Attributes:
      root: the folder.
      out: where the translations go.
      outputs: {name of a file within `root`: name of its translation within `out`}.
    """

    root: pathlib.Path
    out: pathlib.Path
    outputs: Mapping[str, str]

    def spare(self, name: str) -> str:
        """The name of a translation that its own format cannot hold, after all.

        Raises:
          BadRecord: if it is another one's, or too long.
        """
        spare = f'{self.outputs[name]}.png'
        taken = {_alike(x) for x in self.outputs.values()}
        fits = len(os.fsencode(pathlib.PurePath(spare).name)) <= _longest(self.out)
        if not fits or _alike(spare) in taken:
            raise cleaning.BadRecord('its format has no room for it, and .png is not to be had')
        return spare


def plan(folder_in: pathlib.Path, folder_out: pathlib.Path) -> Plan:
    """Finds the files and the names of their translations; makes `folder_out`.

    `.png` is added to the names of files whose formats are only read.

    Raises:
      UserError: if there are no files, or `folder_out` is no place for their translations: two of
        them would be one file, one would overwrite a file that is to be translated, a name is too
        long, or it cannot be written.
    """
    names = find_files(folder_in, folder_out)
    root = _root(folder_in)
    outputs = {name: _output(root / name, name) for name in names}
    planned = Plan(root, folder_out, outputs)
    _check(planned)
    _check_places(planned)
    return planned


def _root(folder_in: pathlib.Path) -> pathlib.Path:
    return folder_in if folder_in.is_dir() else folder_in.parent


def _output(file: pathlib.Path, name: str) -> str:
    """The name of its translation, by the format that its header says."""
    try:
        with pictures.opened(file) as image:
            format = image.format
    except Exception:  # it will be named when it is read
        return name
    return name if format in Image.SAVE else f'{name}.png'


def _alike(name: str) -> str:
    """What names have in common that are one file on some file systems."""
    return unicodedata.normalize('NFC', name).lower()


def _longest(folder: pathlib.Path) -> int:
    """The bytes that a name may have in a folder that need not be there yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return os.pathconf(folder, 'PC_NAME_MAX')
    except (AttributeError, OSError, ValueError):
        return LONGEST


def _check(planned: Plan) -> None:
    root, out, outputs = planned
    given = {os.path.realpath(root / name): name for name in outputs}
    longest, taken = _longest(out), dict[str, str]()
    for name, output in outputs.items():
        place = out / output
        size = len(os.fsencode(place.name))
        if size > longest:
            raise UserError(
                f'{printable(root / name)}: the name of its translation, {printable(place.name)}, '
                f'has {size} bytes, and {longest} are the most; give it a shorter one'
            )
        other = given.get(os.path.realpath(place))
        if other is not None:
            raise UserError(
                f'--output={out}: the translation of {printable(root / name)} would overwrite '
                f'{printable(root / other)}, which is to be translated; give another --output'
            )
        other = taken.setdefault(_alike(output), name)
        if other != name:
            raise UserError(_collision(root, other, name, outputs))
    for name, output in outputs.items():
        for folder in pathlib.PurePath(output).parents:
            if _alike(str(folder)) in taken:
                raise UserError(_collision(root, taken[_alike(str(folder))], name, outputs))


def _check_places(planned: Plan) -> None:
    """Makes the folder, and sees that all folders that are there already can be written."""
    remedy = 'give another --output'
    files.check_writable(planned.out, remedy, planned.outputs.values())
    for folder in sorted({(planned.out / x).parent for x in planned.outputs.values()}):
        while not os.path.lexists(folder):
            folder = folder.parent
        files.check_writable(folder, remedy)


def _collision(root: pathlib.Path, name: str, other: str, outputs: Mapping[str, str]) -> str:
    both = f'{printable(root / name)} and {printable(root / other)}'
    return (
        f'the translations of {both} would be at one place, {printable(outputs[name])} and '
        f'{printable(outputs[other])} (there may be no difference between capitals and small '
        f'letters); rename one of them'
    )


def find_files(folder_in: pathlib.Path, folder_out: pathlib.Path) -> list[str]:
    """The names of the files to translate, relative to their folder and sorted.

    Hidden ones are left out, and those in `folder_out` if it lies in `folder_in`. Links are
    followed, though to no folder twice.

    Raises:
      UserError: if there are none, or `folder_out` is the same folder or none.
    """
    if not folder_in.exists():
        raise UserError(f'--input={folder_in} does not exist; name a folder of images, or an image')
    if folder_out.exists() and not folder_out.is_dir():
        raise UserError(f'--output={folder_out} is not a folder; name one, it need not exist yet')
    root, real = _root(folder_in), os.path.realpath
    if real(root) == real(folder_out):
        raise UserError(
            f'--input and --output are the same folder, {folder_out}; give another --output'
        )
    try:
        names = [folder_in.name] if folder_in != root else sorted(_walk(root, folder_out))
    except OSError as error:
        raise UserError(f'--input={folder_in}: {one_line(error)}; make it readable') from error
    if not names:
        raise UserError(
            f'--input={folder_in} holds no files; put images there that end in '
            f'{", ".join(sorted(pictures.suffixes()))}, in any nesting'
        )
    return names


def _walk(root: pathlib.Path, but: pathlib.Path) -> list[str]:
    def fail(error: OSError) -> None:
        raise error

    seen, names, hidden = {os.path.realpath(root), os.path.realpath(but)}, [], 0
    for folder, below, found in os.walk(root, followlinks=True, onerror=fail):
        place = pathlib.Path(folder)
        hidden += sum(name.startswith('.') for name in (*below, *found))
        for name in sorted(below):
            real = os.path.realpath(place / name)
            if name.startswith('.') or real in seen:
                below.remove(name)
            seen.add(real)
        names += [str((place / x).relative_to(root)) for x in found if not x.startswith('.')]
    if hidden:
        logging.info('passed over %d hidden files and folders in %s', hidden, printable(root))
    return names
