"""Every record is decoded once, by the process in whose share it is, and kept if there is room."""

import functools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from absl import logging

from gan_jax.data import cleaning
from gan_jax.data.dataset import Dataset
from gan_jax.data.share import Share
from gan_jax.data.sources import Source
from gan_jax.errors import UserError

Result = TypeVar('Result')
Decode = Callable[[np.ndarray], np.ndarray]

CHUNK = 64  # records that a thread fetches at once
SECONDS_BETWEEN_LINES = 10.0


def decoded(
    source: Source,
    shape: tuple[int, int],
    limits: tuple[int, int],
    memory_gb: float,
    share: Share,
    parts: Sequence[int] = (),
) -> Dataset:
    """The usable records, however few, the same in all processes.

    Args:
      source: the records.
      shape: the side and the channels that pictures are brought to.
      limits: the least side and the most pixels of a picture.
      memory_gb: what the process's decoded records may take, 10^9 bytes; more are not kept.
      share: the process's; it decodes its records only, and others when it is asked for them.
      parts: lengths of stretches of the records of which each is shared out by itself; by default
        there is one.
    """
    size, depth = shape
    owned = share.places(parts or (len(source),))
    held = len(owned) * size * size * depth <= memory_gb * 1e9
    images = np.empty((len(owned) if held else 0, size, size, depth), np.uint8)
    labels, several = np.zeros(len(owned), np.int32), np.zeros(len(owned), bool)

    def read(place: int, raw: Any) -> str | None:
        """Why a record is bad; a good one is put in its place."""
        try:
            record = cleaning.fitted(source, raw, shape, *limits)
        except cleaning.BadRecord as error:
            return error.args[0]
        labels[place], several[place] = record.label, record.several
        if held:
            images[place] = record.image
        return None

    def read_all() -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, str]]:
        reasons = zip(owned.tolist(), _for_each(read, source, owned), strict=True)
        return owned, labels, owned[several], {i: reason for i, reason in reasons if reason}

    everyones = share.everyones(read_all)
    _tell_several(source, np.concatenate([x[2] for x in everyones]))
    reasons = {i: reason for x in everyones for i, reason in x[3].items()}
    of_all = np.zeros(len(source), np.int32)
    for places, found, *_ in everyones:
        of_all[places] = found
    good = np.setdiff1d(np.arange(len(source)), list(reasons))
    bad = tuple((source.describe(i), reasons[i]) for i in sorted(reasons))
    whole = functools.partial(
        Dataset, source.name, (size, size, depth), source.class_names, of_all[good], bad=bad
    )
    if share.count == 1 and held:
        return whole((lambda places: images[good[places]]) if bad else images.__getitem__)
    decode = _decoder(source, shape, limits)
    if share.count == 1:
        return whole(lambda places: decode(good[places]))
    rows = np.full(len(source), -1)  # of each record in `images`; -1 of other processes'
    rows[owned] = np.arange(len(owned))
    kept: Decode = (lambda records: images[rows[records]]) if held else decode
    chosen = functools.partial(_chosen, (size, size, depth), good, rows, kept)
    return whole(functools.partial(chosen, decode), own=whole(functools.partial(chosen, None)))


def _chosen(
    shape: tuple[int, ...],
    good: np.ndarray,
    rows: np.ndarray,
    own: Decode,
    others: Decode | None,
    places: np.ndarray,
) -> np.ndarray:
    """The images at places among the good records; zeros for other processes' if need be."""
    records = good[places]
    mine = rows[records] >= 0
    images = np.zeros((len(records), *shape), np.uint8)
    for which, read in ((mine, own), (~mine, others)):
        if read is not None and which.any():
            images[which] = read(records[which])
    return images


def _tell_several(source: Source, several: np.ndarray) -> None:
    if len(several):
        names = [source.describe(i) for i in np.sort(several).tolist()]
        logging.info(
            '%s: %d images have several frames, of which only the first is used: %s', source.name,
            len(names), cleaning.listed(names),
        )  # fmt: skip


def _for_each(
    read: Callable[[int, Any], Result], source: Source, records: np.ndarray
) -> list[Result]:
    """read(place, raw) of each of these records, on all cores: decoders release Python's lock."""

    def read_chunk(start: int) -> list[Result]:
        raw = source.fetch(records[start : start + CHUNK].tolist())
        return list(map(read, range(start, start + len(raw)), raw))

    results: list[Result] = []
    said = time.monotonic()
    with ThreadPoolExecutor(_cores()) as pool:
        for chunk in pool.map(read_chunk, range(0, len(records), CHUNK)):
            results += chunk
            if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                logging.info('%s: decoded %d of %d', source.name, len(results), len(records))
    return results


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _decoder(source: Source, shape: tuple[int, int], limits: tuple[int, int]) -> Decode:
    """Records -> their images, decoded now, on all cores."""
    pool = ThreadPoolExecutor(_cores())

    def decode(index: int, raw: Any) -> np.ndarray:
        try:
            return cleaning.fitted(source, raw, shape, *limits).image
        except cleaning.BadRecord as error:
            raise UserError(
                f'{source.describe(index)} is {error} now and was not when {source.name} was '
                'loaded; put it back or start again without it'
            ) from error

    def fetch(records: np.ndarray) -> np.ndarray:
        places = records.tolist()
        return np.stack(list(pool.map(decode, places, source.fetch(places))))

    return fetch
