"""The one exception that the command line turns into a line for a person, and what lines say."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What the user gave cannot be used; the message is one line that says what would be right."""


class NoSplit(UserError):
    """The data set has no such split."""


def one_line(error: Exception) -> str:
    """What another library's error says, short enough to stand within a line."""
    return ' '.join(str(error).split())[:300] or type(error).__name__


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name that looks most like `name`, or '(none)' if there is none.

    By difflib's ratio of matching characters, however small it is; of several that are as near, the
    last in the order of the alphabet.
    """
    matches = difflib.get_close_matches(name, valid, n=1, cutoff=0.0)
    return matches[0] if matches else '(none)'


def printable(text: object) -> str:
    """The text with escapes for what no terminal or page can show: as in ascii(), for lines.

    File names may hold line breaks, and bytes that are no characters, which cannot be encoded.
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return ''.join(x if x.isprintable() else ascii(x)[1:-1] for x in shown)
