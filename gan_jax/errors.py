"""The one exception that the command line turns into a line for a person, and what lines say."""

import difflib
import errno
import os
from collections.abc import Iterable


class UserError(Exception):
    """What the user gave cannot be used; the message is one line that says what would be right."""


class NoSplit(UserError):
    """The data set has no such split."""


def one_line(error: Exception) -> str:
    """What another library's error says, short enough to stand within a line."""
    return ' '.join(str(error).split())[:300] or type(error).__name__


_REMEDIES = {
    errno.ENOSPC: 'free some space',
    errno.EDQUOT: 'free some of your quota',
    errno.EFBIG: 'allow larger files (ulimit -f)',
    errno.EACCES: 'allow it',
    errno.EPERM: 'allow it',
    errno.EROFS: 'choose another place',
    errno.EIO: 'look after the disk',
    errno.EMFILE: 'allow more open files (ulimit -n)',
    errno.ENFILE: 'allow more open files',
    errno.ENOMEM: 'free some memory',
    errno.ENOTDIR: 'move what is in its place',
    errno.EISDIR: 'move what is in its place',
    errno.EEXIST: 'move what is in its place',
    errno.ENOTEMPTY: 'move what is in its place',
    errno.ENAMETOOLONG: 'choose a shorter name',
}


def number_of(error: BaseException | None) -> int | None:
    """The number of the operating system's error that this is, was raised from, or tells of."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        for number in _REMEDIES:
            if os.strerror(number) in str(error):
                return number
        error = error.__cause__ or error.__context__
    return None


def of_system(error: OSError) -> str:
    """The operating system's error as a line that names the file and says what to do."""
    if error.errno is None:
        return one_line(error)
    file = f'{os.fsdecode(error.filename)}: ' if isinstance(error.filename, (str, bytes)) else ''
    remedy = _REMEDIES.get(error.errno, 'see to it')
    return f'{file}{error.strerror}; {remedy}, and give the same command again'


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
