"""Prepares real pairs of drawings: the same emoji as two makers draw it.

    python -m benchmarks.emoji data/emoji

FOLDER/{train,test}/{google,twitter}/NNNN.png, 64 x 64 RGB over white; equal names are the same
emoji. Every tenth emoji goes to test with all its skin tones, so that none is in both. The drawings
are those of the npm packages emoji-datasource-google (Noto, Apache 2.0) and emoji-datasource-
twitter (Twemoji, CC BY 4.0), version 16.0.0, which npm fetches; their digests are checked."""

import argparse
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

from PIL import Image

VERSION = '16.0.0'
DIGESTS = {
    'google': 'fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438',
    'twitter': 'f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877',
}
SIDE, RIM = 64, 1  # of a drawing on the sheet, in pixels
TEST_EVERY = 10


def sheet_and_table(maker, downloads):
    """One picture of all drawings of a maker, and where each is on it."""
    file = downloads / f'emoji-datasource-{maker}-{VERSION}.tgz'
    if not file.exists():
        package = f'emoji-datasource-{maker}@{VERSION}'
        command = ['npm', 'pack', package, '--silent']
        subprocess.run(command, cwd=downloads, check=True, stdout=subprocess.DEVNULL)
    if hashlib.sha256(file.read_bytes()).hexdigest() != DIGESTS[maker]:
        sys.exit(f'{file} is not the package it should be; delete it and start again')
    with tarfile.open(file) as archive:
        picture = archive.extractfile(f'package/img/{maker}/sheets/{SIDE}.png').read()
        table = json.load(archive.extractfile('package/emoji.json'))
    return Image.open(io.BytesIO(picture)).convert('RGBA'), table


def drawing(sheet, entry):
    """One drawing over white."""
    left, top = ((SIDE + 2 * RIM) * entry[f'sheet_{axis}'] + RIM for axis in 'xy')
    white = Image.new('RGBA', (SIDE, SIDE), 'white')
    white.alpha_composite(sheet.crop((left, top, left + SIDE, top + SIDE)))
    return white.convert('RGB')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder', type=pathlib.Path)
    folder = parser.parse_args().folder
    downloads = folder / 'downloads'
    downloads.mkdir(parents=True, exist_ok=True)
    Image.MAX_IMAGE_PIXELS = None  # the sheets are large
    found = {maker: sheet_and_table(maker, downloads) for maker in DIGESTS}
    counts = {'train': 0, 'test': 0}
    for place, base in enumerate(found['google'][1]):
        split = 'train' if place % TEST_EVERY else 'test'
        for entry in (base, *base.get('skin_variations', {}).values()):
            if not all(entry.get(f'has_img_{maker}') for maker in found):
                continue
            for maker, (sheet, _) in found.items():
                file = folder / split / maker / f'{counts[split]:04d}.png'
                file.parent.mkdir(parents=True, exist_ok=True)
                drawing(sheet, entry).save(file)
            counts[split] += 1
    print(', '.join(f'{count} pairs to {split}' for split, count in counts.items()))


if __name__ == '__main__':
    main()
