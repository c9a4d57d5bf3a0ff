"""Word2vec's .bin: a header n, d as text, then each word, a space, and its vector in float32."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError
from relcli.files import reading
from relcli.formats.format import Format, Opened, check_shape
from relcli.formats.rows import as_slice
from relcli.formats.words import HEADER, has_controls, refuse_names
from relcli.spaces.id_columns import given_column

_DTYPE = np.dtype("<f4")
_LONGEST_WORD = 1 << 16
_HEAD = 4096


class WordRows:
    """
    Rows [n, d] that begin at the bytes `starts` [n] of a file, mapped when first read; they pickle as these.

    Keeps 8 bytes a row.
    """

    def __init__(self, path: Path, starts: NDArray[np.int64], d: int) -> None:
        self.path, self.starts, self.shape = path, starts, (len(starts), d)
        self._bytes: mmap.mmap | None = None

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        with reading(self.path, "a word2vec .bin"):
            if self._bytes is None:  # two threads may both map the file: harmless, the last one stays
                self._bytes = map_bytes(self.path)
            held, width = self._bytes, self.shape[1] * _DTYPE.itemsize
            starts = self.starts[as_slice(rows, self.shape[0])].tolist()
            joined = b"".join([held[start : start + width] for start in starts])
            return np.frombuffer(joined, _DTYPE).reshape(len(starts), self.shape[1]).astype("=f4", copy=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bytes": None}


def map_bytes(path: Path) -> mmap.mmap:
    """Return a file's bytes, mapped."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def open_word2vec(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """
    Return the vectors and words of a word2vec .bin; the words are the ids.

    Goes through the file once, from word to word; keeps 8 bytes a row and the words.
    """
    refuse_names(path, member, id_column)
    held = map_bytes(path)
    first = held[:_HEAD].partition(b"\n")[0]
    header = HEADER.fullmatch(first.rstrip())
    if header is None:
        raise _no_word2vec(path, held[:8])
    n, d = check_shape(path, (int(header[1]), int(header[2])))
    # a word of one byte, a space and the vector: a header that lies must not make room for its n
    if len(held) - len(first) - 1 < n * (2 + d * _DTYPE.itemsize):
        raise FormatError(
            f"{path} is truncated: {n:,} words with vectors of {d:,} float32 take at least "
            f"{n * (2 + d * _DTYPE.itemsize):,} bytes, but after the header there are {len(held) - len(first) - 1:,}. "
            "Copy or write it again."
        )
    starts, words = _walk(path, held, len(first) + 1, n, d)
    ids = np.array(words, np.str_)
    return Opened(WordRows(path, starts, d), "float32", (given_column("words", ids),))


def _walk(path: Path, held: mmap.mmap, at: int, n: int, d: int) -> tuple[NDArray[np.int64], list[str]]:
    starts, words = np.empty(n, np.int64), []
    width, size = d * _DTYPE.itemsize, len(held)
    for row in range(n):
        end = held.find(b" ", at, at + _LONGEST_WORD)
        if end < 0 or end + 1 + width > size:
            raise FormatError(
                f"{path} breaks off in row {row:,} of {n:,}, at byte {at:,} of {size:,}: a word, a space and {width:,} "
                "bytes of vector are wanted. It is truncated, or a word of it holds a space. Copy or write it again."
            )
        # word2vec writes a line end after each vector, other programs do not
        word = held[at:end].lstrip(b"\n")
        try:
            words.append(word.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{path}, row {row:,}: the word {word[:40]!r} is no UTF-8. Write the file again with words in "
                "UTF-8; if the word of the row before it holds a space, write it as text."
            ) from error
        if not word:
            raise FormatError(f"{path}, row {row:,} has a vector but no word before it. Write the file again.")
        starts[row] = end + 1
        at = end + 1 + width
    if held[at : at + 64].strip() or size - at > 64:
        raise FormatError(
            f"{path} holds {size - at:,} bytes more than the {n:,} rows that its header tells of. "
            "Mend the header, or write the file again."
        )
    return starts, words


def _no_word2vec(path: Path, head: bytes) -> FormatError:
    n, d = np.frombuffer(head.ljust(8, b"\0"), "<u4").tolist()
    for suffix, itemsize in ((".fbin", 4), (".u8bin", 1)):
        if n and d and os.path.getsize(path) == 8 + n * d * itemsize:
            also = " or .i8bin" if itemsize == 1 else ""
            return FormatError(
                f"{path} is no word2vec .bin, but fits {n:,} x {d:,} numbers of {itemsize} bytes after a header of 8. "
                f"If it is that, rename it to {path.stem}{suffix}{also}."
            )
    return FormatError(
        f"{path} is no word2vec .bin: that begins with a line 'rows dimensions', this with {head!r}. "
        "Save its vectors by numpy.save, or as .vec text."
    )


def _sniff(head: bytes) -> bool:
    first, end, rest = head.partition(b"\n")
    return bool(end) and HEADER.fullmatch(first.rstrip()) is not None and has_controls(rest)


FORMAT = Format("word2vec", (".bin",), _sniff, open_word2vec, shared=(".bin",))
