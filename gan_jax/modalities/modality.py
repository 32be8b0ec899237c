"""What an example is, as a value."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Recordings(NamedTuple):
    """How files of examples are read and written, each of its own length.

    Attributes:
      endings: of the names of files that can be read.
      read: file -> a stored example, as long as the file; raises BadRecord.
      content: a stored example -> a file's bytes.
      ending: of what is written.
    """

    endings: tuple[str, ...]
    read: Callable[[pathlib.Path], Any]
    content: Callable[[Any], bytes]
    ending: str


class Modality(NamedTuple):
    """A kind of examples: how they are stored, shown to networks, pictured, written and measured.

    Attributes:
      name: its module's.
      settings: plain values that make it again; what is fitted to the data is among them.
      shape: of an encoded example.
      stored: how examples are stored, in words, for the record.
      encode: stored examples -> float32 [n, *shape], as networks see them; of NumPy and JAX arrays.
      decode: the way back, rounded and clipped as examples are stored; also in compiled code.
      picture: (made, real, score, columns) -> uint8 [h, w, 1 or 3]: stored examples, and real ones
        for those kinds that show both; score, None or a function of encoded examples, is what the
        discriminator says. Kinds with thumbnails also take headings, texts over the columns.
      write: (stem, stored) -> files whose names begin with the stem.
      metrics: the usual ones.
      fields: what networks are given that have a field of that name.
      thumbnails: stored examples -> uint8 [n, h, w, 1 or 3], each by itself; None where a single
        example shows nothing.
      recordings: how single files are read and written; None where these are pictures, or where
        examples have one length only.
      sources: sources as networks see them -> stored examples that show them; None where sources
        are not shown.
      augment: settings -> (keys, encoded) -> encoded; None where nothing is known that leaves an
        example what it is.
      sequences: stored examples -> float32 [n, length, d] between 0 and 1 or nearly, as judges of
        series see them; None where examples have no order in time.
    """

    name: str
    settings: Mapping[str, Any]
    shape: tuple[int, ...]
    stored: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    picture: Callable[..., Any]
    write: Callable[..., Any]
    metrics: tuple[str, ...]
    fields: Mapping[str, Any]
    thumbnails: Callable[[Any], Any] | None = None
    augment: Callable[[Mapping[str, Any]], Callable] | None = None
    sequences: Callable[[Any], Any] | None = None
    sources: Callable[[Any], Any] | None = None
    recordings: Recordings | None = None
