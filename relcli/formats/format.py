"""The contract of a file format, and the doors: open_space, save_space, open_ids, open_pairs, open_labels."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import float32_to_bfloat16
from relcli.errors import FormatError, IdError, UsageError, did_you_mean, first_few
from relcli.files import reading
from relcli.formats.foreign import refuse_head, refuse_suffix
from relcli.formats.ids import Ids, as_ids, refuse_empty
from relcli.formats.lists import ids_beside, open_ids, open_labels, open_pairs, sidecar_columns
from relcli.formats.rows import StackedRows
from relcli.formats.shards import find_shards, name_of, split_member
from relcli.spaces.id_columns import ROW_NUMBER, IdColumn, Trust, in_order, same_name, take_alone
from relcli.spaces.space import Origin, Rows, Space

__all__ = ["Format", "Opened", "formats", "open_ids", "open_labels", "open_pairs", "open_space", "save_space"]

#: Types of numbers that every format saves.
SAVED_DTYPES = ("float16", "float32", "float64")

#: The type of raw bfloat16 numbers, which numpy has no name for.
BFLOAT16 = np.dtype("V2")

_HEAD = 4096
_TORCH = (".pt", ".pth", ".ckpt")
_PICKLES = (".pkl", ".pickle", ".joblib", *_TORCH)
_LOADING = {
    "numpy": "numpy.stack(numpy.load({}, allow_pickle=True)).astype('float32')",
    "torch": "torch.load({}, weights_only=True).float().numpy()",
}


@dataclass(frozen=True)
class Opened:
    """
    What a format found in one file.

    `rows` [n, d] are not read yet; `id_columns` are what may hold their ids, the most trusted first;
    `notes` are words for the report; `provenance` is what `save_space` was told of how the vectors were made.
    """

    rows: Rows
    dtype: str
    id_columns: tuple[IdColumn, ...] = ()
    member: str | None = None
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] | None = None


@dataclass(frozen=True)
class Format:
    """
    One file format.

    `sniff(head)` tells it by a file's first 4,096 bytes; a `headless` one has nothing there that tells it,
    so its suffix decides alone. `shared` are those of its suffixes that quite other files have as well.
    `open(path, *, member, id_column)` finds vectors and ids. `save(path, ids, batches, *, dim, dtype,
    metadata)` writes batches [b, dim] of numbers that already have `dtype`, one at a time; `dtypes` names
    those it can keep.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    open: Callable[..., Opened]
    save: Callable[..., None] | None = None
    dtypes: tuple[str, ...] = SAVED_DTYPES
    headless: bool = False
    shared: tuple[str, ...] = ()


def open_space(
    source: str | Path,
    *,
    name: str | None = None,
    ids: str | Path | None = None,
    key: str | None = None,
    id_column: str | None = None,
) -> Space:
    """
    Return the space that a file, a folder of shards or a glob holds; its rows are read on demand.

    `source` may end in #NAME, the column, tensor or array to take; `key` says the same. `ids` is
    a file of ids, or FILE#COLUMN; `id_column` names the ids in whichever file holds them, or is "row-number": the
    rows have none, and are numbered. Without both they are searched for, and where none are certain the row numbers
    stand in; `origin.id_columns` tells what they might have been. Keeps the ids in memory.
    """
    place, member = split_member(source, key)
    files = find_shards(place, _suffixes(), shared=_shared_suffixes())
    numbered = id_column == ROW_NUMBER and ids is None
    shards = [_open_file(file, member, None if ids or numbered else id_column) for file in files]
    rows = _stack(files, shards)
    columns: tuple[IdColumn, ...] = ()
    if ids is None and not numbered:
        columns = _columns_of_shards(files, shards, id_column)
    taken = take_alone(columns)
    found: tuple[Ids, str] | None = None
    if ids is not None:
        found = open_ids(ids, column=id_column), f"file {Path(ids).name}"
    elif taken is not None:
        with reading(files[0], "a file with ids"):
            found = taken.read(), taken.source
    if found is not None:
        _check_rows(place, rows.shape[0], *found)
        refuse_empty(found[0], f"{place}, {found[1]}")
    names, id_source = found or (as_ids(np.arange(rows.shape[0]), place), "row numbers")
    origin = Origin(
        path=place,
        format=identify(files[0]).name,
        dtype=shards[0].dtype,
        id_source=id_source,
        ids_given=found is not None,
        member=shards[0].member,
        files=tuple(map(str, files)),
        notes=tuple(dict.fromkeys(note for shard in shards for note in shard.notes)),
        provenance=_common_provenance(files, shards),
        # what is given leaves nothing to choose
        id_columns=() if taken is not None and taken.trust is Trust.GIVEN else columns,
        id_column=None if taken is not None and taken.trust is Trust.GIVEN else taken,
        ids_beside=None if found is not None or (near := ids_beside(place, rows.shape[0])) is None else str(near),
    )
    return Space(name or name_of(place, member), names, rows, origin)


def save_space(
    path: str | Path,
    ids: Sequence[str] | NDArray[Any],
    batches: Iterable[NDArray[Any]] | NDArray[Any],
    dim: int,
    dtype: str = "float32",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """
    Write ids [n] and vectors, an array [n, dim] or an iterable of batches [b, dim], to `path`.

    The suffix chooses the format. Batches are written as they come, beside the target, which
    is replaced only when all of them have arrived. `metadata` are texts by name; what stands under
    "relcli", a JSON object, is read back as the provenance of the space.
    """
    path = Path(path)
    chosen = check_saving(path, dtype)
    assert chosen.save is not None
    names = np.asarray(ids, dtype=np.str_)
    arrays = [batches] if isinstance(batches, np.ndarray) else batches
    kind = BFLOAT16 if dtype == "bfloat16" else np.dtype(dtype)
    chosen.save(
        path,
        names,
        _counted(arrays, len(names), dim, kind),
        dim=dim,
        dtype=kind,
        metadata=dict(metadata or {}),
    )


def check_saving(path: str | Path, dtype: str) -> Format:
    """Return the format that the suffix of `path` names, if spaces of this dtype are saved in it."""
    path = Path(path)
    saving = {suffix: format for format in formats() if format.save for suffix in format.suffixes}
    chosen = saving.get(path.suffix.lower())
    if chosen is None:
        raise UsageError(f"{path} names no format that spaces are saved in: {', '.join(saving)}.")
    if dtype not in chosen.dtypes:
        keeping = [suffix for suffix, format in saving.items() if dtype in format.dtypes]
        instead = f" Name a {' or '.join(keeping)} for {dtype}." if keeping else did_you_mean(dtype, chosen.dtypes)
        raise UsageError(f"{path} cannot hold {dtype}: a {path.suffix} keeps {', '.join(chosen.dtypes)}.{instead}")
    return chosen


@functools.cache
def formats() -> tuple[Format, ...]:
    """Return every format: what the modules of this folder name FORMAT."""
    folder = str(Path(__file__).parent)
    modules = [importlib.import_module(f"relcli.formats.{info.name}") for info in pkgutil.iter_modules([folder])]
    return tuple(module.FORMAT for module in modules if hasattr(module, "FORMAT"))


def identify(path: Path) -> Format:
    """Return the format of a file, by its first bytes, then by its suffix."""
    with reading(path, "a file"), open(path, "rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise FormatError(f"{path} is empty: 0 bytes. Write it again.")
    suffix = path.suffix.lower()
    # first, because their numbers may look like anything: 640 dimensions like a pickle
    for format in formats():
        if format.headless and suffix in format.suffixes:
            return format
    if suffix in _PICKLES:
        raise refuse_pickle(path)
    refuse_suffix(path)
    for format in formats():
        if format.sniff(head):
            return format
    # after the sniffing, because a safetensors header of 640 bytes begins like a pickle of protocol 2
    if head[0] == 0x80 and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        raise refuse_pickle(path)
    refuse_head(path, head)
    for format in formats():
        if suffix in format.suffixes:
            return format
    raise FormatError(
        f"{path} is in no format that relcli reads: {', '.join(_suffixes())}. "
        f"Convert it, for instance by numpy.save({path.stem + '.npy'!r}, vectors)."
    )


def refuse_pickle(path: Path, *, library: str | None = None) -> FormatError:
    """Return the error for a file that only unpickling could read, with a recipe for converting it."""
    library = library or ("torch" if path.suffix.lower() in _TORCH else "numpy")
    load = _LOADING[library].format(repr(path.name))
    return FormatError(
        f"{path} holds pickled Python objects, which can run any code when loaded, so relcli never does. "
        f'If you trust it, convert it once: python -c "import numpy, {library}; '
        f"numpy.save('{path.stem}-vectors.npy', {load})\""
    )


def check_shape(path: Path, shape: Sequence[int]) -> tuple[int, int]:
    """Return `shape` as [n, d], or say why it is not one."""
    if len(shape) != 2:
        raise FormatError(
            f"{path} holds an array of shape {list(shape)}: vectors are [rows, dimensions]. "
            + ("Pool or flatten it first." if len(shape) > 2 else "Stack the vectors first.")
        )
    n, d = shape
    if n < 1 or d < 1:
        raise FormatError(f"{path} holds {n:,} rows of {d:,} dimensions: there is nothing to compare.")
    return n, d


def _suffixes() -> list[str]:
    return [suffix for format in formats() for suffix in format.suffixes]


def _shared_suffixes() -> list[str]:
    return [suffix for format in formats() for suffix in format.shared]


def _open_file(path: Path, member: str | None, id_column: str | None) -> Opened:
    format = identify(path)
    with reading(path, format.name):
        return format.open(path, member=member, id_column=id_column)


def _stack(files: Sequence[Path], shards: Sequence[Opened]) -> Rows:
    first = shards[0]
    for file, shard in zip(files, shards, strict=True):
        if shard.rows.shape[1] != first.rows.shape[1]:
            raise FormatError(
                f"{file} has {shard.rows.shape[1]:,} dimensions, but {files[0]} has "
                f"{first.rows.shape[1]:,}: shards of one space are equally wide."
            )
        if shard.dtype != first.dtype:
            raise FormatError(f"{file} holds {shard.dtype}, but {files[0]} {first.dtype}: shards hold one type.")
    return first.rows if len(shards) == 1 else StackedRows([shard.rows for shard in shards])


def read_provenance(text: str | bytes | None) -> dict[str, Any] | None:
    """Return the provenance that a file's metadata holds under "relcli", None where there is none."""
    if text is None:
        return None
    stored = json.loads(text)
    return stored if isinstance(stored, dict) else None


def _common_provenance(files: Sequence[Path], shards: Sequence[Opened]) -> dict[str, Any] | None:
    first = shards[0].provenance
    for file, shard in zip(files, shards, strict=True):
        if shard.provenance != first:
            raise FormatError(
                f"{file} and {files[0]} say different things of how their vectors were made: shards of one space "
                "are made alike. Make them again together."
            )
    return first


def _columns_of_shards(files: Sequence[Path], shards: Sequence[Opened], wanted: str | None) -> tuple[IdColumn, ...]:
    """Return what may hold the ids of all shards together: columns of one name, and files beside each."""
    found = [_columns_of(file, shard, wanted) for file, shard in zip(files, shards, strict=True)]
    if len(files) == 1:
        return found[0]
    missing = [file.name for file, columns in zip(files, found, strict=True) if not columns]
    if missing and len(missing) < len(files):
        raise IdError(f"{len(missing):,} of {len(files):,} shards have no ids: {first_few(missing)}. Add theirs.")
    joined = []
    sure = [columns[0] for columns in found if columns and columns[0].trust <= Trust.NAMED]
    if sure and len(sure) == len(files):
        joined.append(_joined(files, shards, sure))
    for column in found[0] if found else ():
        alike = [next((one for one in columns if same_name(one, column)), None) for columns in found]
        whole = [one for one in alike if one is not None]
        if len(whole) == len(files) and not (sure and whole == sure):
            joined.append(_joined(files, shards, whole))
    called = [[column.name for column in columns if column.trust <= Trust.LIKELY] for columns in found]
    if not joined and all(called):
        other = next(place for place, names in enumerate(called) if names != called[0])
        raise IdError(
            f"{files[0].name} has ids called {called[0][0]!r}, and {files[other].name} {called[other][0]!r}: shards of "
            "one space call them the same. Rename one, or give a file of all ids."
        )
    return in_order(joined)


def _joined(files: Sequence[Path], shards: Sequence[Opened], parts: Sequence[IdColumn]) -> IdColumn:
    sources = list(dict.fromkeys(part.source for part in parts))
    source = sources[0] if len(sources) == 1 else f"{sources[0]} and {len(sources) - 1:,} more"
    rows = [shard.rows.shape[0] for shard in shards]
    return IdColumn(
        parts[0].name, source, parts[0].trust, partial(_read_shards, files, rows, parts), partial(_first_of, parts[0])
    )


def _read_shards(files: Sequence[Path], rows: Sequence[int], parts: Sequence[IdColumn]) -> Ids:
    found = []
    for file, count, part in zip(files, rows, parts, strict=True):
        with reading(file, "a file with ids"):
            ids = part.read()
        _check_rows(file, count, ids, part.source)
        found.append(ids)
    return np.concatenate(found)


def _first_of(column: IdColumn) -> tuple[Ids, int]:
    if column.sample is not None:
        return column.sample()
    ids = column.read()
    return ids, len(ids)


def _columns_of(path: Path, opened: Opened, wanted: str | None) -> tuple[IdColumn, ...]:
    if opened.id_columns and opened.id_columns[0].trust is Trust.GIVEN:
        return opened.id_columns
    with reading(path, "a file with ids"):
        beside = sidecar_columns(path, wanted)
    if wanted is not None and not beside:
        raise UsageError(f"{path} has no columns, so no ids named {wanted!r}. Give a file of ids instead, one a line.")
    return in_order([*opened.id_columns, *beside])


def _check_rows(place: str | Path, rows: int, ids: Ids, id_source: str) -> None:
    if len(ids) != rows:
        raise IdError(
            f"{place} has {rows:,} rows but {id_source} holds {len(ids):,} ids. "
            "Give the ids that belong to these vectors, one a row."
        )


def _counted(batches: Iterable[NDArray[Any]], n: int, dim: int, dtype: np.dtype) -> Iterator[NDArray[Any]]:
    rows = 0
    for batch in batches:
        rows += len(batch)
        if batch.shape[1:] != (dim,) or rows > n:
            break
        yield float32_to_bfloat16(batch) if dtype == BFLOAT16 else np.ascontiguousarray(batch, dtype)
    else:
        if rows == n:
            return
    raise ValueError(f"{n} ids of {dim} dimensions, but batches give {rows} rows, the last {batch.shape}")
