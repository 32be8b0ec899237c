"""Drum hits of hydrogen's kits (Debian package hydrogen-drumkits), a folder for each kind.

    python -m benchmarks.drums /usr/share/hydrogen/data/drumkits data/drums

A kind is told from a file's name; what has none of these kinds (loops, hand drums, claps, bells) is
left out, and counted. Files are copied as they are: <kind>/<kit>_<file>.
"""

import argparse
import collections
import pathlib
import shutil

from gan_jax.data import sounds

# The first that fits: a part of a file's name in small letters, without what is no letter.
KINDS = {
    'kick': ('kick', 'bassdrum', 'bd'),
    'snare': ('snare', 'sidestick', 'rimshot', 'rim', 'sd'),
    'tom': ('tom',),
    'hihat': ('hihat', 'hhat', 'hat', 'hh'),
    'cymbal': ('crash', 'ride', 'splash', 'china', 'cymbal', 'bell'),
}
NOT = ('beat', 'cowbell', 'tambourine', 'dununba', 'kenkeni', 'sangban')


def kind(name: str) -> str | None:
    letters = ''.join(x for x in name.lower() if x.isalpha())
    if any(x in letters for x in NOT):
        return None
    return next((kind for kind, parts in KINDS.items() if any(x in letters for x in parts)), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('kits', type=pathlib.Path)
    parser.add_argument('output', type=pathlib.Path)
    args = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    for file in sounds.files(str(args.kits)):
        found = kind(file.stem)
        counts[found or 'left out'] += 1
        if found:
            kit = file.relative_to(args.kits).parts[0]
            place = args.output / found / f'{kit}_{file.name}'.replace(' ', '_')
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    print(', '.join(f'{count} {name}' for name, count in counts.most_common()))


if __name__ == '__main__':
    main()
