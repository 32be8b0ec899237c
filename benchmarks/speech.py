"""Splits recordings of speech: every tenth file, in the order of their names, goes to test.

    python -m benchmarks.speech \
/usr/share/festival/voices/russian/msu_ru_nsh_clunits/wav data/speech

These are the Debian package festvox-ru's: 620 utterances of one male speaker, 99.5 minutes at
16,000 samples a second. Files are copied as they are into FOLDER/train and FOLDER/test.
"""

import argparse
import pathlib
import shutil

from gan_jax.data import sounds

TEST_EVERY = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('recordings', type=pathlib.Path)
    parser.add_argument('output', type=pathlib.Path)
    args = parser.parse_args()
    counts = dict.fromkeys(('train', 'test'), 0)
    for i, file in enumerate(sounds.files(str(args.recordings))):
        split = 'train' if i % TEST_EVERY else 'test'
        (args.output / split).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, args.output / split / file.name)
        counts[split] += 1
    print(', '.join(f'{count} {split}' for split, count in counts.items()))


if __name__ == '__main__':
    main()
