"""Hits on disk: a row a hit in Parquet and CSV, a line a query in JSON lines, one document in JSON."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from relcli.errors import OutputError, UsageError, did_you_mean
from relcli.files import atomic_path
from relcli.formats.columns import LISTS, TABLES, has_columns
from relcli.formats.ids import Ids
from relcli.formats.lists import open_labels
from relcli.formats.shards import find_shards, split_member
from relcli.reports.retrieval import Document, QueryHits, Retrieval, to_line

SUFFIXES = {".parquet": "parquet", ".jsonl": "jsonl", ".json": "json", ".csv": "csv"}

_COLUMNS = ("query", "via", "rank", "id", "score", "match")


class HitWriter(Protocol):
    """Something that hits are written to as they are found, and the rest at the end."""

    def write(self, found: Sequence[QueryHits]) -> None: ...

    def close(self, retrieval: Retrieval) -> None: ...


class LineWriter:
    """JSON lines: one for each query and method. What else was found is not kept."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, found: Sequence[QueryHits]) -> None:
        self._file.writelines(map(to_line, found))

    def close(self, retrieval: Retrieval) -> None:
        self._file.flush()


class DocumentWriter:
    """One JSON document, written as it comes: hits first, figures and settings at the end."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._document = file, Document()
        self._begun = False

    def write(self, found: Sequence[QueryHits]) -> None:
        self._begin()
        self._file.writelines(self._document.hits(found))

    def close(self, retrieval: Retrieval) -> None:
        self._begin()
        self._file.write(self._document.tail(retrieval))
        self._file.flush()

    def _begin(self) -> None:
        # not before there is something to say: a refusal leaves stdout empty
        if not self._begun:
            self._file.write(self._document.head())
            self._begun = True


class CsvWriter:
    """A row a hit, with a column for each thing shown."""

    def __init__(self, file: IO[str], shown: Sequence[str]) -> None:
        self._rows = csv.writer(file, lineterminator="\n")
        self._file, self._shown, self._begun = file, tuple(shown), False

    def write(self, found: Sequence[QueryHits]) -> None:
        if not self._begun:
            self._rows.writerow([*_COLUMNS, *self._shown])
            self._begun = True
        for row in _rows(found):
            marks = {None: "", True: "true", False: "false"}
            self._rows.writerow([*row[:5], marks[row[5]], *row[6:]])

    def close(self, retrieval: Retrieval) -> None:
        self.write(())
        self._file.flush()


class ParquetWriter:
    """A row a hit; the settings and figures lie in the metadata under "relcli"."""

    def __init__(self, place: Path, shown: Sequence[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = (pa.string(), pa.string(), pa.int32(), pa.string(), pa.float64(), pa.bool_())
        columns = [*zip(_COLUMNS, kinds, strict=True), *((name, pa.string()) for name in shown)]
        self._schema = pa.schema(columns)
        self._writer = pq.ParquetWriter(place, self._schema)

    def write(self, found: Sequence[QueryHits]) -> None:
        import pyarrow as pa

        columns = list(zip(*_rows(found), strict=True))
        if columns:
            arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
            self._writer.write_table(pa.table(arrays, schema=self._schema))

    def close(self, retrieval: Retrieval) -> None:
        document = "{" + Document().tail(retrieval).partition(",")[2]
        self._writer.add_key_value_metadata({"relcli": json.dumps(json.loads(document), ensure_ascii=False)})
        self._writer.close()

    def abandon(self) -> None:
        """Let go of the file."""
        self._writer.close()


def _rows(found: Iterable[QueryHits]) -> Iterator[list[Any]]:
    for one in found:
        for hit in one.hits:
            texts = [text for _, text in hit.shown]
            yield [one.query, one.via, hit.rank, hit.id, hit.score, hit.match, *texts]


def hits_format(path: str | Path) -> str:
    """Return the name of the format that hits are written in by the path's suffix; refuse what cannot be written."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{path} does not tell how to write the hits: use one of {', '.join(SUFFIXES)}."
            f"{did_you_mean(suffix, SUFFIXES)}"
        )
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")
    if not os.access(path if path.exists() and not path.is_file() else path.parent, os.W_OK):
        raise OutputError(f"{path} cannot be written: permission denied in {path.parent}. Choose another folder.")
    return SUFFIXES[suffix]


@contextmanager
def writing_hits(files: Iterable[str | Path], shown: Sequence[str]) -> Iterator[list[HitWriter]]:
    """Give what writes each file; they come into place when the block ends well, whole or not at all."""
    with ExitStack() as stack:
        writers: list[HitWriter] = []
        for path in files:
            kind = hits_format(path)
            place = stack.enter_context(atomic_path(path))
            if kind == "parquet":
                table = ParquetWriter(place, shown)
                stack.callback(table.abandon)
                writers.append(table)
                continue
            # a lone surrogate, from undecodable bytes, becomes a legal JSON escape
            file = stack.enter_context(open(place, "w", encoding="utf-8", errors="backslashreplace", newline=""))
            makers: dict[str, Callable[[], HitWriter]] = {
                "jsonl": lambda file=file: LineWriter(file),  # type: ignore[misc]
                "json": lambda file=file: DocumentWriter(file),  # type: ignore[misc]
                "csv": lambda file=file: CsvWriter(file, shown),  # type: ignore[misc]
            }
            writers.append(makers[kind]())
        yield writers


def open_shown(
    columns: Sequence[str], space: str | Path, other: str | Path | None, *, among: Sequence[Ids] = ()
) -> dict[str, dict[str, str]]:
    """Return a text for each id `among` those shown, by column, from a space's files or another table with ids."""
    wanted: list[str | None] = list(columns) or ([None] if other is not None else [])
    if not wanted:
        return {}
    places = [Path(other)] if other is not None else find_shards(split_member(space, None)[0], TABLES, shared=LISTS)
    odd = [place for place in places if not has_columns(place)]
    if odd:
        raise UsageError(
            f"--show needs a table to read from, and {odd[0]} is none: name one with --show-from FILE (.csv, .tsv or "
            ".parquet with a column id)."
        )
    shown: dict[str, dict[str, str]] = {}
    for column in wanted:
        texts: dict[str, str] = {}
        for place in places:
            ids, values = open_labels(place, column, among=among)
            texts.update(zip(ids.tolist(), values.tolist(), strict=True))
        shown[column or "label"] = texts
    return shown
