"""Parquet: a column of float lists and a column of ids."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.files import atomic_path
from relcli.formats.arrow_tables import ParquetTable
from relcli.formats.format import Format, Opened
from relcli.formats.ids import Ids
from relcli.formats.tables import open_table


def open_parquet(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the vectors and ids of a Parquet file."""
    return open_table(ParquetTable(path), member=member, id_column=id_column)


def save_parquet(
    path: Path,
    ids: Ids,
    batches: Iterable[NDArray[Any]],
    *,
    dim: int,
    dtype: np.dtype,
    metadata: dict[str, str],
) -> None:
    """Write columns id (string) and vector (FixedSizeList), a row group for each batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.list_(pa.from_numpy_dtype(dtype), dim)
    schema = pa.schema({"id": pa.string(), "vector": kind}, metadata=metadata)
    # a dictionary of floats is built, found too large and thrown away, for every row group
    with atomic_path(path) as target, pq.ParquetWriter(target, schema, use_dictionary=["id"]) as writer:
        start = 0
        for batch in batches:
            names = pa.array(ids[start : start + len(batch)].tolist(), pa.string())
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(batch.ravel()), dim)
            writer.write_table(pa.table([names, vectors], schema=schema))
            start += len(batch)


FORMAT = Format("parquet", (".parquet", ".pq"), lambda head: head.startswith(b"PAR1"), open_parquet, save_parquet)
