"""Which files of a folder become what, and where: found before anything is computed."""

import os
import pathlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from absl import logging
from PIL import Image

from gan_jax.data import cleaning, pictures
from gan_jax.errors import UserError, one_line, printable
from gan_jax.runtime import files as files_lib

LONGEST = 255  # bytes of a name, where the file system does not say


class Kind(NamedTuple):
    """A kind of files.

    Attributes:
      what: these are, in the plural.
      endings: () -> those of their names.
      output: (file, its name) -> the name of its translation.
    """

    what: str
    endings: Callable[[], Sequence[str]]
    output: Callable[[pathlib.Path, str], str]


class Result(NamedTuple):
    """What is written of a file.

    Attributes:
      content: of the new one.
      spare: whether it is a PNG though the file's own format can be written.
      several: whether the file has further frames.
    """

    content: bytes
    spare: bool = False
    several: bool = False


class Plan(NamedTuple):
    """What becomes of a folder.

    Attributes:
      root: the folder.
      out: where the translations go.
      outputs: {name of a file within `root`: name of its translation within `out`}.
      what: what these are, if not translations,
      done: and what is done to the files.
    """

    root: pathlib.Path
    out: pathlib.Path
    outputs: Mapping[str, str]
    what: str = 'translation'
    done: str = 'translated'

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

    def report(self, bad: Sequence[str], several: Sequence[str]) -> None:
        """Logs how many files were read.

        Args:
          bad: those that could not be, with the reason.
          several: those with several frames.
        """
        if several:
            logging.warning(
                '%d files have several frames, of which only the first is %s: %s',
                len(several), self.done, cleaning.listed(several),
            )  # fmt: skip
        num = len(self.outputs)
        skipped = f', {len(bad)} could not be read: {cleaning.listed(bad)}' if bad else ''
        logging.info('%s %d of %d files%s', self.done, num - len(bad), num, skipped)


def plan(
    folder_in: pathlib.Path,
    folder_out: pathlib.Path,
    what: str = 'translation',
    done: str = 'translated',
    besides: Sequence[str] = (),
    files: Kind | None = None,
) -> Plan:
    """Finds the files and the names of their translations; makes `folder_out`.

    Args:
      folder_in: a folder, its files in any nesting, or one file.
      folder_out: where they go.
      what: what is written, if not translations,
      done: and what is done to the files.
      besides: the names of what else is written to `folder_out`.
      files: their kind, pictures by default; `.png` is added to the names of those whose formats
        are only read.

    Raises:
      UserError: if there are no files, or `folder_out` is no place for their translations: two of
        them would be one file, one would overwrite a file that is to be translated, a name is too
        long, or it cannot be written.
    """
    files = files or PICTURES
    names = find_files(folder_in, folder_out, files)
    root = root_of(folder_in)
    outputs = {name: files.output(root / name, name) for name in names}
    planned = Plan(root, folder_out, outputs, what, done)
    _check(planned)
    for name, output in outputs.items():
        if _alike(output) in map(_alike, besides):
            raise UserError(
                f'the {what} of {printable(root / name)} would be at the place of {output}, which '
                f'is written of all of them; rename it'
            )
    _check_places(planned, besides)
    return planned


def root_of(folder_in: pathlib.Path) -> pathlib.Path:
    """The folder that names of files are relative to: itself, or that of a single file."""
    return folder_in if folder_in.is_dir() else folder_in.parent


def _output(file: pathlib.Path, name: str) -> str:
    """The name of its translation, by the format that its header says."""
    try:
        with pictures.opened(file) as image:
            format = image.format
    except Exception:  # it will be named when it is read
        return name
    return name if format in Image.SAVE else f'{name}.png'


PICTURES = Kind('images', lambda: sorted(pictures.suffixes()), _output)


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
    root, out, outputs, what, done = planned
    given = {os.path.realpath(root / name): name for name in outputs}
    longest, taken = _longest(out), dict[str, str]()
    for name, output in outputs.items():
        place = out / output
        size = len(os.fsencode(place.name))
        if size > longest:
            raise UserError(
                f'{printable(root / name)}: the name of its {what}, {printable(place.name)}, '
                f'has {size} bytes, and {longest} are the most; give it a shorter one'
            )
        other = given.get(os.path.realpath(place))
        if other is not None:
            raise UserError(
                f'--output={out}: the {what} of {printable(root / name)} would overwrite '
                f'{printable(root / other)}, which is to be {done}; give another --output'
            )
        other = taken.setdefault(_alike(output), name)
        if other != name:
            raise UserError(_collision(planned, other, name))
    for name, output in outputs.items():
        for folder in pathlib.PurePath(output).parents:
            if _alike(str(folder)) in taken:
                raise UserError(_collision(planned, taken[_alike(str(folder))], name))


def _check_places(planned: Plan, besides: Sequence[str]) -> None:
    """Makes the folder, and sees that all folders that are there already can be written."""
    remedy = 'give another --output'
    files_lib.check_writable(planned.out, remedy, [*planned.outputs.values(), *besides])
    for folder in sorted({(planned.out / x).parent for x in planned.outputs.values()}):
        while not os.path.lexists(folder):
            folder = folder.parent
        files_lib.check_writable(folder, remedy)


def _collision(planned: Plan, name: str, other: str) -> str:
    root, _, outputs, what, _ = planned
    both = f'{printable(root / name)} and {printable(root / other)}'
    return (
        f'the {what}s of {both} would be at one place, {printable(outputs[name])} and '
        f'{printable(outputs[other])} (there may be no difference between capitals and small '
        f'letters); rename one of them'
    )


def find_files(
    folder_in: pathlib.Path, folder_out: pathlib.Path, files: Kind = PICTURES
) -> list[str]:
    """The names of the files to translate, relative to their folder and sorted.

    Hidden ones are left out, and those in `folder_out` if it lies in `folder_in`. Links are
    followed, though to no folder twice.

    Raises:
      UserError: if there are none, or `folder_out` is the same folder or none.
    """
    if not folder_in.exists():
        raise UserError(
            f'--input={folder_in} does not exist; name a folder of {files.what}, or a file'
        )
    if folder_out.exists() and not folder_out.is_dir():
        raise UserError(f'--output={folder_out} is not a folder; name one, it need not exist yet')
    root, real = root_of(folder_in), os.path.realpath
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
            f'--input={folder_in} holds no files; put {files.what} there that end in '
            f'{", ".join(files.endings())}, in any nesting'
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
