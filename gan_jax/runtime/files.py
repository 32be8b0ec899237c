"""Files that are written whole or not at all."""

import pathlib
from collections.abc import Callable


def replace(file: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """Has `write` write a temporary file beside `file`, then puts it in its place."""
    temporary = file.with_name(f'tmp_{file.name}')
    write(temporary)
    temporary.replace(file)
