"""English words from Debian's lists (packages wamerican and wamerican-huge), a word a line.

    python -m benchmarks.words /usr/share/dict/american-english data/words.txt
    python -m benchmarks.words /usr/share/dict/american-english-huge data/dictionary.txt

Kept are words of small letters a to z: names, abbreviations and what has an apostrophe or an accent
are left out, and counted.
"""

import argparse
import pathlib
import re

PLAIN = re.compile('[a-z]+')


def plain(words: list[str]) -> list[str]:
    """Those of small letters alone, each once, sorted."""
    return sorted({x for x in words if PLAIN.fullmatch(x)})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('words', type=pathlib.Path)
    parser.add_argument('output', type=pathlib.Path)
    args = parser.parse_args()
    words = args.words.read_text(encoding='utf-8').splitlines()
    kept = plain(words)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(''.join(f'{x}\n' for x in kept), encoding='utf-8')
    print(f'{len(kept)} of {len(words)} words')


if __name__ == '__main__':
    main()
