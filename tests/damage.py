"""What may happen to a file."""

import json

KINDS = ('flip', 'truncate', 'empty', 'delete', 'list', 'rename', 'digit')


def spoil(file, kind):
    """Damages the file; False if this kind of damage cannot happen to it."""
    content = file.read_bytes()
    if kind == 'delete':
        file.unlink()
        return True
    if kind == 'rename':
        changed = _renamed(content)
    elif kind == 'digit':
        changed = _another_digit(content)
    else:
        middle = len(content) // 2
        changed = (
            {
                'flip': content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
                'truncate': content[:middle],
                'empty': b'',
                'list': b'[1, 2]' if _json(content) is not None else content,
            }[kind]
            if content
            else content
        )
    file.write_bytes(changed)
    return changed != content


def _json(content):
    try:
        return json.loads(content)
    except ValueError:
        return None


def _renamed(content):
    """The last key of an object has another name."""
    value = _json(content)
    if not isinstance(value, dict) or not value:
        return content
    name = list(value)[-1]
    return json.dumps({(f'{x}x' if x == name else x): y for x, y in value.items()}).encode()


def _another_digit(content):
    """The last digit in a text is another one."""
    if _json(content) is None:
        return content
    place = next((i for i in reversed(range(len(content))) if content[i : i + 1].isdigit()), None)
    if place is None:
        return content
    return (
        content[:place]
        + (b'7' if content[place : place + 1] != b'7' else b'3')
        + content[place + 1 :]
    )
