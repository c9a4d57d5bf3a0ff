"""Vectors as text, the way word2vec, GloVe and fastText write them: a word and its numbers a line, perhaps a header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, UsageError
from relcli.formats.format import Format, Opened, check_shape
from relcli.formats.ids import Ids
from relcli.formats.lines import Block, LineRows, as_text, join, read_blocks
from relcli.formats.rows import keep_small
from relcli.spaces.id_columns import given_column

HEADER = re.compile(rb"(\d{1,18})[ \t]+(\d{1,9})")
_NUMBER = re.compile(rb"[+-]?(?:(?:\d+\.?(\d*)|\.(\d+))(e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)

#: Lines that the width is told from where no header says it.
_LOOKED_AT = 100
#: What separates numbers, and ends lines, becomes a line end: then the numbers are one column.
_ONE_COLUMN = bytes.maketrans(b" \t\r", b"\n\n\n")


def open_words(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """
    Return the vectors and words of a text; the words are the ids, and may hold spaces.

    Reads the file once to find its lines; keeps 8 bytes a row and the words. Numbers are read as float32.
    """
    refuse_names(path, member, id_column)
    starts: list[NDArray[np.int64]] = []
    words: list[Ids] = []
    header: tuple[int, int] | None = None
    d = 0
    for block in read_blocks(path):
        if block.line == 1:
            if b"\r" in block[0]:
                raise FormatError(
                    f"{path} ends its lines with carriage returns alone, so that all of it is one line. Write it with "
                    "line feeds: tr '\\r' '\\n'."
                )
            header = _header_of(block[0])
            block = block.without_first() if header else block
            d = header[1] if header else _width_of(path, block)
            check_shape(path, (header[0] if header else 1, d))
        if len(block):
            starts.append(block.begin + _cut(path, block, d, words))
    row_starts = join(starts)
    if header and header[0] != len(row_starts):
        raise FormatError(
            f"{path} says in line 1 that it has {header[0]:,} rows of {d:,} dimensions, but {len(row_starts):,} lines "
            f"follow. It is truncated; if it was cut on purpose, let line 1 be '{len(row_starts)} {d}'."
        )
    check_shape(path, (len(row_starts), d))
    ids = np.concatenate(words)
    rows = LineRows(path, row_starts, d, partial(_decode, path, 2 if header else 1, d))
    return Opened(keep_small(rows, np.dtype(np.float32)), "float32", (given_column("words", ids),))


def refuse_names(path: Path, member: str | None, id_column: str | None) -> None:
    """Raise UsageError where a member or a column is asked for: words with vectors have neither."""
    if member is not None:
        raise UsageError(f"{path} holds vectors without a name: leave out {member!r}.")
    if id_column is not None:
        raise UsageError(
            f"{path} has no columns, so no ids named {id_column!r}: its words are the ids. "
            "Leave the column out, or give a file of ids."
        )


def _header_of(line: bytes) -> tuple[int, int] | None:
    found = HEADER.fullmatch(line)
    return (int(found[1]), int(found[2])) if found else None


def _width_of(path: Path, block: Block) -> int:
    """Return how many numbers most of the first lines end in; a word that ends in a number makes one wider."""
    counts = Counter(_numbers_at_end(block[k]) for k in range(min(len(block), _LOOKED_AT)))
    most = max(counts.values())
    d = min((width for width, count in counts.items() if width and count == most), default=0)
    if d == 0:
        shown = as_text(block[0], path, block.line)
        raise FormatError(
            f"{path}, line {block.line:,} is {_short(shown)!r}: a word and its vector, spaces between, are wanted. "
            "Is it a list of ids? Those go beside a dump, or to --ids-x and --ids-y."
        )
    return d


def _numbers_at_end(line: bytes) -> int:
    fields = line.split()[1:]
    count = 0
    while count < len(fields) and _NUMBER.fullmatch(fields[-1 - count]):
        count += 1
    return count


def _cut(path: Path, block: Block, d: int, words: list[Ids]) -> NDArray[np.int64]:
    """Return where in the block the d numbers of each line begin, and append the words before them to `words`."""
    codes = np.frombuffer(block.data, np.uint8)
    blank = (codes == ord(" ")) | (codes == ord("\t"))
    # the last blank of each run; a block ends in a line end, so the last byte is none
    gaps = np.flatnonzero(blank[:-1] & ~blank[1:])
    after = np.searchsorted(gaps, block.ends)
    count = after - np.searchsorted(gaps, block.starts)
    short = np.flatnonzero(count < d)
    if len(short):
        k = int(short[0])
        raise FormatError(
            f"{path}, line {block.line + k:,} has {int(count[k]):,} numbers after its word where {d:,} are wanted: "
            f"{_short(as_text(block[k], path, block.line + k))!r}. It is truncated, or rows differ in width."
        )
    begins = gaps[after - d] + 1
    found = []
    for k, (start, begin) in enumerate(zip(block.starts.tolist(), begins.tolist(), strict=True)):
        word = block.data[start:begin].strip(b" \t")
        if not word:
            raise FormatError(f"{path}, line {block.line + k:,} has {d:,} numbers but no word before them.")
        found.append(as_text(word, path, block.line + k))
    for k in np.flatnonzero(count > d).tolist():
        _check_width(path, block, k, d)
    words.append(np.array(found, np.str_))
    return begins


def _check_width(path: Path, block: Block, k: int, d: int) -> None:
    """Raise FormatError where what ends a word of several parts looks like one number too many."""
    fields = block[k].split()
    more = _NUMBER.fullmatch(fields[-d - 1])
    found = [_NUMBER.fullmatch(field) for field in fields[-d:]]
    if len(fields) <= d + 1 or more is None or None in found:
        return
    usual = max(_decimals(number) for number in found if number)
    # "Windows 3.1" is a word, but "in 0.418230" is a word and a number
    if usual == 0 or 0 < usual <= 2 * _decimals(more):
        raise FormatError(
            f"{path}, line {block.line + k:,} has {_numbers_at_end(block[k]):,} numbers where {d:,} are wanted: "
            f"{_short(as_text(block[k], path, block.line + k))!r}. Rows are equally wide; if "
            f"{fields[-d - 1].decode()!r} belongs to the word, join its parts by _."
        )


def _decimals(number: re.Match[bytes]) -> int:
    return 9 if number[3] else len(number[1] or number[2] or b"")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _decode(
    path: Path, first_line: int, d: int, texts: Sequence[bytes], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    flat = parse_numbers(b"\n".join(texts))
    if flat is not None and len(flat) == len(texts) * d:
        return flat.reshape(len(texts), d)
    out = np.empty((len(texts), d))
    for at, (text, row) in enumerate(zip(texts, rows.tolist(), strict=True)):
        fields = text.split()
        odd = [field for field in fields if not _NUMBER.fullmatch(field)]
        if odd or len(fields) != d:
            told = f"{odd[0].decode('utf-8', 'replace')!r} is no number" if odd else f"there are {len(fields):,}"
            raise FormatError(
                f"{path}, line {row + first_line:,}: the last {d:,} of a line are numbers, but {told}. Mend that line."
            )
        out[at] = [float(field) for field in fields]
    return out


def parse_numbers(text: bytes) -> NDArray[np.float64] | None:
    """Return the numbers that blanks separate, each the nearest float64, or None where something is no number."""
    import pyarrow as pa
    import pyarrow.csv as csv

    try:
        table = csv.read_csv(
            pa.BufferReader(text.translate(_ONE_COLUMN)),
            read_options=csv.ReadOptions(column_names=["v"]),
            parse_options=csv.ParseOptions(delimiter=";", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types={"v": pa.float64()}, null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        return None
    return table.column("v").to_numpy()


def sniff_words(head: bytes) -> bool:
    """Return whether a file begins with a header n, d and a line of text that ends in a number."""
    first, *others = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not others or not HEADER.fullmatch(first.rstrip()) or has_controls(head):
        return False
    fields = others[0].split()
    # the last field may be cut where the head ends
    return len(fields) > 1 and bool(_NUMBER.fullmatch(fields[1 if len(others) == 1 and len(fields) == 2 else -1]))


def has_controls(head: bytes) -> bool:
    """Return whether bytes hold control characters, as binary numbers nearly always do, and text never."""
    return any(code < 32 and code not in b"\t\n\r\f\v" for code in head)


FORMAT = Format("word vectors", (".vec", ".txt"), sniff_words, open_words, shared=(".txt",))
