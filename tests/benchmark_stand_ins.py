"""What the benchmarks' commands of README and docs/ take for granted, put into a folder.

Each function has the folder and the server of launch.py; it gives more changes to a benchmark's
constants, {module: {name: value}}.
"""

import csv
import gzip
import hashlib
import io
import json
import pathlib
import shlex
import socket
import tarfile

import methods
import numpy as np
import pytest
import test_docs_commands as docs
import test_readme
from PIL import Image
from report import browser

from benchmarks import emoji, prepare_census

DRUMS, PAIRS = pathlib.Path('data', 'drums'), pathlib.Path('data', 'emoji')


def nothing(folder, server):
    """Of a benchmark that makes all it needs."""
    return {}


def prepared(*names):
    """TFDS sets of random images, where they are looked for."""

    def prepare(folder, server):
        for name in names:
            version, shape = test_readme.PREPARED[name]
            test_readme.prepare(name, version, shape, folder / 'tensorflow_datasets')
        return {}

    return prepare


def trained(*commands):
    """Runs of launch.py, as the pages' own tests shorten them."""

    def prepare(folder, server):
        methods.words(folder / 'data' / 'words.txt', 200)
        methods.words(folder / 'data' / 'dictionary.txt', 50)
        for command in commands:
            words = docs.shortened(shlex.split(command), folder)
            code, printed = server.run(*words, cwd=folder, HOME=str(folder))
            assert code == 0, printed
        return {}

    return prepare


def emoji_packages(folder, server):
    """Two packages of npm with ten drawings each, and their digests."""
    digests, downloads = {}, folder / PAIRS / 'downloads'
    downloads.mkdir(parents=True)
    sheet = io.BytesIO()
    Image.new('RGBA', (66 * 4, 66 * 3), (0, 128, 255, 128)).save(sheet, 'png')
    places = [{'sheet_x': i % 4, 'sheet_y': i // 4} for i in range(11)]
    table = [x | {f'has_img_{maker}': True for maker in emoji.DIGESTS} for x in places]
    for maker in emoji.DIGESTS:
        file = downloads / f'emoji-datasource-{maker}-{emoji.VERSION}.tgz'
        with tarfile.open(file, 'w:gz') as archive:
            for name, content in (
                (f'img/{maker}/sheets/{emoji.SIDE}.png', sheet.getvalue()),
                ('emoji.json', json.dumps(table).encode()),
            ):
                entry = tarfile.TarInfo(f'package/{name}')
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        digests[maker] = hashlib.sha256(file.read_bytes()).hexdigest()
    return {'benchmarks.emoji': {'DIGESTS': digests}}


def census(folder, server):
    """Its package's two files with 40 rows each."""
    digests = {}
    for split in prepare_census.DIGESTS:
        file = folder / 'unpacked' / f'census_income_1994_1995_{split}.csv'
        file.parent.mkdir(exist_ok=True)
        with file.open('w', newline='') as stream:
            csv.writer(stream).writerows([[i] * len(prepare_census.NAMES) for i in range(40)])
        digests[split] = hashlib.sha256(file.read_bytes()).hexdigest()
    return {'benchmarks.prepare_census': {'DIGESTS': digests}}


def emoji_pairs(folder, server):
    for maker in emoji.DIGESTS:
        place = folder / PAIRS / 'test' / maker
        place.mkdir(parents=True)
        rng = np.random.default_rng(len(maker))
        for i in range(4):
            pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(place / f'{i:04}.png')
    return {}


def grid_of_four(folder, server):
    """The first four settings of ring8's twelve."""
    text = 'from configs import ring8\n\nget_config = ring8.get_config\n\n\ndef sweep():\n'
    (folder / 'grid.py').write_text(text + '    return [*ring8.sweep()][:4]\n')
    return {'benchmarks.halving': {'CONFIG': str(folder / 'grid.py')}}


def digits_made(folder, server):
    file = folder / 'runs' / 'dcgan_1' / 'generated' / 'seed_0.npz'
    file.parent.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    np.savez(file, images=images)
    return {}


def hits(folder, server):
    """Of five kits and two kinds, and samples of a run."""
    for kind, seconds in (('kick', 0.3), ('snare', 0.1)):
        for kit in 'ABCDE':
            docs.recordings(folder / kind / kit, 12, seconds)
            for file in (folder / kind / kit).iterdir():
                place = folder / DRUMS / kind / f'{kit}_{file.name}'
                place.parent.mkdir(parents=True, exist_ok=True)
                file.rename(place)
    file = folder / 'runs' / 'wavegan_drums' / 'generated' / 'seed_0.npz'
    file.parent.mkdir(parents=True)
    waves = np.random.default_rng(0).integers(-9999, 9999, (20, 16_384, 1), np.int16)
    np.savez(file, waveforms=waves)
    return {}


def kits(folder, server):
    kit = folder / 'usr/share/hydrogen/data/drumkits/Kit'
    docs.recordings(kit, 1, 0.1)
    (kit / '0.wav').rename(kit / 'Kick-1.wav')
    return {}


def voice(folder, server):
    docs.recordings(folder / 'usr/share/festival/voices/russian/msu_ru_nsh_clunits/wav', 11, 0.1)
    return {}


def clips(folder, server):
    docs.recordings(folder / 'data' / 'speech' / 'test', 2, 1.0)
    docs.recordings(folder / 'made', 2, 1.0)
    return {}


def lists(folder, server):
    for name in ('american-english', 'american-english-huge'):
        file = folder / 'usr' / 'share' / 'dict' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("Ann\nann's\nant\nbee\n")
    return {}


def index(folder, server):
    """A package that is found to be installed."""
    (folder / 'arch-1.0.dist-info').mkdir()
    (folder / 'arch-1.0.dist-info' / 'METADATA').write_text('Name: arch\nVersion: 1.0\n')
    file = folder / 'arch' / 'data' / 'sp500' / 'sp500.csv.gz'
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(b'Date,Open,Close\n1/4/1999,1.5,2\n'))
    return {}


def chromium(folder, server):
    """A free port; without a Chromium it is skipped."""
    if browser.find() is None:
        pytest.skip('no Chromium in the PATH, and $CHROMIUM is not set')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    return {'words': f'--port={port}'}
