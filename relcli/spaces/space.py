"""One model's latent space: a name, ids, and rows that are read on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import to_float32, to_float64
from relcli.spaces.id_columns import IdColumn

Projection = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Rows(Protocol):
    """Anything that has a shape [n, d] and gives rows by slice or by integer index array."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def __getitem__(self, rows: Any) -> Any: ...


@dataclass(frozen=True)
class Origin:
    """
    Where a space came from: enough to name it in a report and to open it again.

    `files` are the files that hold the vectors, in the order of the rows; `id_source` is a phrase
    such as "column 'id'" or "row numbers"; `ids_given` is False only for row numbers. `id_columns` are all
    columns of the files that may hold the ids, none where they were given, and `id_column` the one they were
    taken from; `ids_beside` is a list of as many ids in the same folder that was not taken. `provenance` is what
    the file says of how its vectors were made from others, None where it says nothing.
    """

    path: str
    format: str
    dtype: str
    id_source: str
    ids_given: bool = True
    member: str | None = None
    files: tuple[str, ...] = ()
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] | None = None
    id_columns: tuple[IdColumn, ...] = ()
    id_column: IdColumn | None = None
    ids_beside: str | None = None


@dataclass(frozen=True)
class TakenRows:
    """Some rows [n, d] of others, by their numbers `index` [n]; read on demand."""

    rows: Rows
    index: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.index), self.rows.shape[1]

    def __getitem__(self, rows: Any) -> Any:
        return self.rows[self.index[rows]]


@dataclass(frozen=True)
class Space:
    """
    A latent space: `ids` [n] (unicode), `vectors` [n, d] read on demand, and where they came from.

    Every transformation of a Space is a Space: `map` adds a projection that rows pass through
    when they are read; nothing is computed before.
    """

    name: str
    ids: NDArray[np.str_]
    vectors: Rows
    origin: Origin
    projections: tuple[Projection, ...] = field(default=())
    dim: int = 0

    def __post_init__(self) -> None:
        if not self.dim:
            object.__setattr__(self, "dim", int(self.vectors.shape[1]))

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    def map(self, projection: Projection, *, dim: int | None = None) -> Space:
        """Return this space seen through `projection`, a picklable [b, d] -> [b, dim] callable."""
        return replace(self, projections=(*self.projections, projection), dim=dim or self.dim)

    def take(self, rows: NDArray[np.int64]) -> Space:
        """Return the rows that an index array names, read on demand."""
        return replace(self, ids=self.ids[rows], vectors=TakenRows(self.vectors, rows))

    def read(self, rows: Any) -> NDArray[np.float64]:
        """Return the rows [b, dim] as float64, through every projection; `rows` is a slice or indices."""
        return to_float64(self.compute(rows))

    def compute(self, rows: Any) -> NDArray[Any]:
        """Return the rows [b, dim] in whatever floats the last projection gives: for files that keep no more."""
        stored = self.vectors[rows]
        # a projection that says so takes float32 as it is stored: no digits are lost, and half the memory moved
        takes_float32 = bool(self.projections) and getattr(self.projections[0], "takes_float32", False)
        narrow = to_float32(stored) if takes_float32 else None
        vectors: NDArray[Any] = to_float64(stored) if narrow is None else narrow
        for projection in self.projections:
            vectors = projection(vectors)
        return vectors

    def loaded(self) -> Space:
        """Return the space with its rows read: [n, dim] in float64, through every projection, kept in memory."""
        return replace(self, vectors=self.read(slice(None)), projections=())

    def facts(self) -> dict[str, Any]:
        """Return what a report tells of the space."""
        origin = self.origin
        return {
            "name": self.name,
            "path": origin.path,
            "member": origin.member,
            "format": origin.format,
            "rows": len(self),
            "dim": self.dim,
            "dtype": origin.dtype,
            "id_source": origin.id_source,
            "sha256": origin.sha256,
            "notes": list(origin.notes),
        }
