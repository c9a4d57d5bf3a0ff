"""Which column, tensor or array holds the vectors, told by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from relcli.errors import FormatError, UsageError, did_you_mean, first_few

VECTOR_NAMES = ("embedding", "embeddings", "emb", "vector", "vectors", "vec")


def choose_vectors(candidates: Sequence[str], wanted: str | None, path: Path, *, what: str) -> str:
    """Return the wanted name, else the only candidate, else the one that is called like vectors are."""
    if wanted is not None:
        if wanted not in candidates:
            raise UsageError(
                f"{path} has no {what} named {wanted!r}.{did_you_mean(wanted, candidates)} "
                f"It has {first_few(candidates) or 'none at all'}."
            )
        return wanted
    if not candidates:
        raise FormatError(f"{path} holds no {what}. Is this the file with the embeddings?")
    chosen = candidates[0] if len(candidates) == 1 else by_name(candidates, VECTOR_NAMES)
    if chosen is None:
        raise FormatError(
            f"{path} holds {len(candidates)} times a {what}: {first_few(candidates, 12)}. "
            f"Choose one by {path.name}#NAME, such as {path.name}#{candidates[0]}."
        )
    return chosen


def choose_column(names: Sequence[str], wanted: str, path: Path) -> str:
    """Return `wanted`, which must be one of the names."""
    if wanted not in names:
        raise UsageError(
            f"{path} has nothing named {wanted!r}.{did_you_mean(wanted, names)} "
            f"It has {first_few(names, 12) or 'no columns'}."
        )
    return wanted


def by_name(names: Iterable[str], wanted: Iterable[str]) -> str | None:
    """Return the name that equals the first of the wanted ones it can, whatever the case, or None."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.lower(), name)
    return next((folded[want] for want in wanted if want in folded), None)
