"""Relative representations: each row by its similarities to the anchors, and when two of them may be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from relcli.arrays import Floats, row_norms, unit_rows
from relcli.errors import UsageError
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, quality_facts
from relcli.spaces.pairing import Ids
from relcli.spaces.similarity import ABOVE_ZERO, SIMILARITIES, Frame, parse_similarity
from relcli.spaces.space import Space

#: Sums of float32 squares below this have lost digits to underflow.
_SMALLEST = 1e-30


@dataclass(frozen=True)
class Centering:
    """Subtract `mean` [d] from every row."""

    mean: Floats

    @classmethod
    def of(cls, mean: Floats) -> Centering:
        """Return the centring at `mean`."""
        return cls(mean)

    def __call__(self, v: Floats) -> Floats:
        return v - self.mean


@dataclass(frozen=True)
class Standardization:
    """Subtract `mean` [d] from every row and divide by `deviation` [d]; dimensions that never vary stay 0."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, mean: Floats, variance: Floats) -> Standardization:
        """Return the standardisation to a mean [d] and variance [d] of 0 and 1."""
        deviation = np.sqrt(variance)
        return cls(mean, np.where(deviation > 0, deviation, 1.0))

    def __call__(self, v: Floats) -> Floats:
        return (v - self.mean) / self.deviation


def to_unit(v: Floats) -> Floats:
    """Return v [b, d] with every row divided by its norm; rows that have none, or no finite one, stay as they are."""
    norms = row_norms(v)
    return v / np.where(np.isfinite(norms) & (norms > 0), norms, 1.0)[:, None]


@dataclass(frozen=True)
class RelativeProjection:
    """
    Return the similarities [b, a] of rows v [b, d] to the anchors [a, d], as in Moschella et al. 2023.

    `similarity` is a name, or "product:" and several: these side by side [b, a · parts], each row of
    each part first divided by its norm (Cannistraci et al. 2024, arXiv:2310.01211). `quantize` rounds
    similarities to its multiples; `sparse` (k, p) keeps the k largest, raises them to the power p and
    divides by the norm (ASIF, Norelli et al. 2023, arXiv:2210.01738), the first of equal ones before the rest.

    `exact` gives a row the same bits in every batch, on every machine: what orders are read from must
    have them, for a copy of a row has to tie with it. Files need not: there one float32 product of unit
    rows does for cosine, a float64 one for the others. Keeps two to five times the anchors.
    """

    anchors: Floats
    similarity: str = "cosine"
    quantize: float | None = None
    sparse: tuple[int, float] | None = None
    exact: bool = True

    def __post_init__(self) -> None:
        names = parse_similarity(self.similarity)
        if self.quantize is not None and not 0 < self.quantize < np.inf:
            raise UsageError(f"--quantize {self.quantize} is not a positive step, such as 0.01.")
        if self.sparse is not None:
            _check_sparse(self.sparse, names, self.dim)

    @property
    def takes_float32(self) -> bool:
        """Whether one float32 product does: for cosines that only a file will hold."""
        plain = parse_similarity(self.similarity) == ("cosine",) and self.quantize is None and self.sparse is None
        return plain and not self.exact

    @property
    def dim(self) -> int:
        """The number of columns of a relative row."""
        return len(self.anchors) * len(parse_similarity(self.similarity))

    @cached_property
    def _frame(self) -> Frame:
        # what jumps at a threshold must not do so by the batch
        return Frame(self.anchors, exact=self.exact or self.quantize is not None or self.sparse is not None)

    @cached_property
    def _unit_anchors(self) -> np.ndarray:
        return unit_rows(self.anchors).astype(np.float32)

    def __call__(self, v: Floats) -> Floats:
        names = parse_similarity(self.similarity)
        if self.takes_float32:
            return self._fast_cosines(v)
        parts = []
        for name in names:
            part = SIMILARITIES[name](v, self._frame)
            if self.quantize is not None:
                part = np.rint(part / self.quantize) * self.quantize
            parts.append(part)
        scores = parts[0] if len(parts) == 1 else np.concatenate([unit_rows(part) for part in parts], axis=1)
        return scores if self.sparse is None else sparsified(scores, *self.sparse)

    def _fast_cosines(self, v: Any) -> Any:
        squares = RowSquares()(v)[:, 0]
        if v.dtype != np.float32 or not _in_range(squares):
            # digits or a range that float32 squares lack
            v = np.ascontiguousarray(unit_rows(v.astype(np.float64)), np.float32)
            return v @ self._unit_anchors.T
        cosines = v @ self._unit_anchors.T
        cosines *= (1 / np.sqrt(squares))[:, None]
        return cosines


@dataclass(frozen=True)
class RowSquares:
    """Return the sum of squares [b, 1] of each row, in the floats they come in: NaN, Inf and 0 tell bad rows."""

    takes_float32 = True

    def __call__(self, v: Any) -> Any:
        return np.einsum("ij,ij->i", v, v)[:, None]


def _in_range(squares: Any) -> bool:
    return bool(np.isfinite(squares).all() and (squares > _SMALLEST).all())


def _check_sparse(sparse: tuple[int, float], names: tuple[str, ...], dim: int) -> None:
    k, power = sparse
    if not (1 <= k <= dim and 0 < power < np.inf):
        raise UsageError(
            f"--sparse {k},{power:g} keeps k of {dim:,} similarities, raised to p: k is 1 to {dim:,}, p above 0."
        )
    odd = [name for name in names if name not in ABOVE_ZERO]
    if odd:
        raise UsageError(
            f"--sparse sets what it drops to 0, which is no low {odd[0]} similarity: it goes with "
            f"{', '.join(ABOVE_ZERO)}."
        )


def sparsified(scores: Floats, k: int, power: float) -> Floats:
    """
    Return scores [b, a] with all but the k largest of each row 0, raised to `power`, as unit rows.

    Of equal ones the first are kept. Partitions each row rather than sorting it.
    """
    least = np.partition(scores, -k, axis=1)[:, -k, None]
    kept = scores > least
    level = scores == least
    kept |= level & (np.cumsum(level, axis=1) <= k - kept.sum(axis=1)[:, None])
    out = np.zeros_like(scores)
    # the sign stays: a negative number has no real square root
    np.power(np.abs(scores), power, out=out, where=kept)
    return unit_rows(np.copysign(out, scores, out=out, where=kept))


def anchor_digest(x_ids: Ids, y_ids: Ids) -> str:
    """Return the SHA-256 of the anchor ids in their order: equal digests mean comparable relative spaces."""
    lines = "".join(f"{a}\t{b}\n" for a, b in zip(x_ids, y_ids, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


#: What makes two relative spaces one frame, and what each is called to a reader.
_FRAME = {
    "similarity": "similarity",
    "anchors": "anchors (SHA-256 of their ids)",
    "center": "--center",
    "standardize": "--standardize",
    "quantize": "--quantize",
    "sparse": "--sparse",
}


def anchor_facts(frame: Anchors, wanted: AnchorList | AnchorChoice, *, scored: bool = False) -> dict[str, Any]:
    """Return what a report tells of its anchors: where they came from, how many, and how well they serve."""
    return {
        "source": wanted.source if isinstance(wanted, AnchorList) else f"{wanted.strategy}:{wanted.count}",
        "strategy": frame.strategy,
        "count": len(frame),
        "missing": frame.missing,
        "seed": frame.seed,
        "sha256": anchor_digest(frame.x_ids, frame.y_ids),
        "scored": scored,
        **quality_facts(frame),
    }


def check_same_frame(x: Space, y: Space) -> None:
    """
    Raise UsageError where comparing two spaces would mix representations.

    Both are absolute, as far as is known, or both relative by the same similarity to the same anchors
    with the same settings.
    """
    frames = [_frame_of(space.origin.provenance) for space in (x, y)]
    if frames[0] == frames[1]:
        return
    if None in frames:
        relative, absolute = (x, y) if frames[1] is None else (y, x)
        kind = parse_similarity_of(relative)
        raise UsageError(
            f"{relative.name} is relative ({kind} to anchors) and {absolute.name} is not: their columns mean "
            f"different things. Project {absolute.name} too, or take the vectors that {relative.name} was made from."
        )
    differing = "; ".join(
        f"{label} {_told(frames[0][name])} and {_told(frames[1][name])}"  # type: ignore[index]
        for name, label in _FRAME.items()
        if frames[0][name] != frames[1][name]  # type: ignore[index]
    )
    raise UsageError(
        f"{x.name} and {y.name} are relative in different ways: {differing}. Project both with the same anchors "
        "and settings."
    )


def parse_similarity_of(space: Space) -> str:
    """Return the similarity that a relative space was made by."""
    return str((space.origin.provenance or {}).get("similarity", "unknown"))


def _frame_of(provenance: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if (provenance or {}).get("kind") != "relative":
        return None
    assert provenance is not None
    anchors = provenance.get("anchors")
    known = {**provenance, "anchors": anchors.get("sha256") if isinstance(anchors, Mapping) else anchors}
    return {name: known.get(name) for name in _FRAME}


def _told(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:12]}…" if len(text) == 64 else text
