"""The one exception that the command line turns into a line for a person."""


class UserError(Exception):
    """What the user gave cannot be used; the message is one line that says what would be right."""


class NoSplit(UserError):
    """The data set has no such split."""


def one_line(error: Exception) -> str:
    """What another library's error says, short enough to stand within a line."""
    return ' '.join(str(error).split())[:300] or type(error).__name__
