"""Rows that lines of text hold: where each line lies is kept, 8 bytes a row, and a line is decoded when it is read."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError
from relcli.files import reading
from relcli.formats.rows import as_slice

_BLOCK = 4 << 20
_LONGEST = 256 << 20
_BOM = b"\xef\xbb\xbf"
_BLANK = np.isin(np.arange(256), list(b" \t\r"))


@dataclass(frozen=True)
class Block:
    """Some whole lines: line k of the block is data[starts[k]:ends[k]], without the blanks at its end."""

    begin: int
    line: int
    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, k: int) -> bytes:
        return self.data[self.starts[k] : self.ends[k]]

    def without_first(self) -> Block:
        """Return the lines after the first."""
        return Block(self.begin, self.line + 1, self.data, self.starts[1:], self.ends[1:])


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the lines of a file, some megabytes at a time; `line` counts from 1. An empty line is an error."""
    line = 1
    for begin, data in _read_whole_lines(path):
        codes = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(codes == ord("\n"))
        starts = np.concatenate([[0], ends[:-1] + 1])
        count = len(ends)
        ends = ends - _blank_before(codes, starts, ends)
        for k in np.flatnonzero(_blank_before(codes, starts, ends)).tolist():
            ends[k] = starts[k] + len(data[starts[k] : ends[k]].rstrip(b" \t\r"))
        empty = np.flatnonzero(ends == starts)
        if len(empty):
            raise FormatError(
                f"{path}, line {line + int(empty[0]):,} is empty: one vector a line is wanted. Delete it."
            )
        if (zero := data.find(b"\0")) >= 0:
            at = line + int(np.searchsorted(starts, zero, side="right")) - 1
            raise FormatError(f"{path}, line {at:,} holds a zero byte: it is no text. Is it another format?")
        yield Block(begin, line, data, starts, ends)
        line += count


def _blank_before(codes: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (ends > starts) & _BLANK[codes[ends - 1]]


def _read_whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with open(path, "rb") as file:
        rest = file.read(len(_BOM))
        begin = len(_BOM) if rest == _BOM else 0
        rest = b"" if begin else rest
        while chunk := file.read(_BLOCK):
            data = rest + chunk
            end = data.rfind(b"\n") + 1
            if end:
                yield begin, data[:end]
            begin, rest = begin + end, data[end:]
            if len(rest) > _LONGEST:
                raise FormatError(f"{path} holds a line of more than {_LONGEST:,} bytes: it is no text of vectors.")
        if rest:
            yield begin, rest + b"\n"


class LineRows:
    """
    Rows [n, d] in float32 that lines hold, decoded when they are read; they pickle without their text.

    Row i begins at byte `starts[i]` and ends with its line. `decode(texts [b], rows [b])` gives their
    numbers [b, d], and knows the rows only to name a broken one.
    """

    def __init__(
        self,
        path: Path,
        starts: NDArray[np.int64],
        d: int,
        decode: Callable[[list[bytes], NDArray[np.int64]], NDArray[np.float64]],
    ) -> None:
        self.path, self.starts, self.shape, self._decode = path, starts, (len(starts), d), decode
        self._text: mmap.mmap | None = None

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        with reading(self.path, "lines of vectors"):
            text = self._mapped()
            rows = as_slice(rows, self.shape[0])
            starts = self.starts[rows]
            out = np.empty((len(starts), self.shape[1]), np.float32)
            wanted = np.arange(self.shape[0])[rows] if isinstance(rows, slice) else rows % self.shape[0]
            step = max(1, _BLOCK * self.shape[0] // len(text))
            for at in range(0, len(starts), step):
                texts = [_line_at(text, start) for start in starts[at : at + step].tolist()]
                # numbers beyond float32 become infinite, which later checks name
                with np.errstate(over="ignore"):
                    out[at : at + step] = self._decode(texts, wanted[at : at + step])
        return out

    def _mapped(self) -> mmap.mmap:
        if self._text is None:  # two threads may both map the file: harmless, the last one stays
            with open(self.path, "rb") as file:
                self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._text

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_text": None}


def _line_at(text: mmap.mmap, start: int) -> bytes:
    end = text.find(b"\n", start)
    return text[start:end] if end >= 0 else text[start:]


def as_text(text: bytes, path: Path, line: int, *, what: str = "") -> str:
    """Return bytes of a line as UTF-8, or say where they are none."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}, line {line:,}{what} is no UTF-8: byte {text[error.start]:#04x} after "
            f"{text[: error.start][-20:].decode('utf-8', 'replace')!r}. Convert it by iconv -t UTF-8."
        ) from error


def join(starts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the beginnings of all rows, of those of each block."""
    return np.concatenate([np.zeros(0, np.int64), *starts])
