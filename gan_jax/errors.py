"""The one exception that the command line turns into a line for a person."""


class UserError(Exception):
    """What the user gave cannot be used; the message is one line that says what would be right."""
