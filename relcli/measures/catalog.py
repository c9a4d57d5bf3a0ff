"""Measures by name: "jaccard@10" is `jaccard@k` at depth 10."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from relcli.errors import UsageError, did_you_mean
from relcli.measures.measure import DECLARED, SECTIONS, Measure

#: What `compare` reports unless told otherwise; "@k" stands for the depth in force.
DEFAULT = (
    "mrr",
    "recall@1",
    "recall@5",
    "recall@10",
    "median-rank",
    "cosine",
    "jaccard@k",
    "overlap@k",
    "heldout-procrustes-residual",
    "heldout-aligned-cosine",
    "procrustes-residual",
    "procrustes-distance",
    "debiased-cka",
    "linear-cka",
)


@cache
def all_measures() -> dict[str, Measure]:
    """Return every measure by its declared name, from every module of this package."""
    import relcli.measures as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(DECLARED.items(), key=lambda item: _place(item[1])))


def _place(measure: Measure) -> tuple[int, str, int]:
    """Return where a measure stands in the catalog: not where the first import of its module happened to put it."""
    code = measure.finalize.__code__
    return SECTIONS.index(measure.section), measure.finalize.__module__, code.co_firstlineno


def find_measure(name: str, *, k: int = 10) -> Measure:
    """Return the measure called `name`; "mrr@5" has depth 5, "mrr@k" the depth `k`."""
    known = all_measures()
    if name in known and "@" not in name:
        return known[name]
    stem, at, depth = name.partition("@")
    family = f"{stem}@k"
    if not at or family not in known:
        hint = did_you_mean(name, known) or (did_you_mean(family, known) if at else "")
        raise UsageError(f"No measure is called {name!r}; there are {', '.join(known)}.{hint}")
    if depth != "k" and not (depth.isdigit() and int(depth) > 0):
        raise UsageError(f"The depth of {name!r} is not a positive whole number: write it like {stem}@10.")
    depth_k = k if depth == "k" else int(depth)
    return replace(known[family], name=f"{stem}@{depth_k}", k=depth_k)


def find_measures(names: Iterable[str], *, k: int = 10) -> list[Measure]:
    """Return the measures called `names`, each once, in their order."""
    found = {measure.name: measure for measure in (find_measure(name.strip(), k=k) for name in names)}
    return list(found.values())
