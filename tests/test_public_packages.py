"""What relcli reports is what public packages compute."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import procrustes

import relcli
from relcli.accumulators.accumulator import Context
from relcli.accumulators.neighbors import NeighborLists
from relcli.engines.local import LocalEngine
from relcli.spaces.pairing import PairedSpaces
from relcli.spaces.space import Origin, Space
from tests.strategies import gaussian_pair, isometry

ROWS, K = 400, 10
IDS = np.array([f"{i:03d}" for i in range(ROWS)])


def kin(dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two spaces that share some structure, off centre."""
    x, y = gaussian_pair(91, ROWS, dx, dy)
    shared = min(dx, dy)
    y[:, :shared] += 1.5 * x[:, :shared] @ isometry(5, shared)
    return x + 0.2, y - 0.1


def value(name: str, x: np.ndarray, y: np.ndarray, view: str = "absolute", direction: str = "value") -> float:
    """Return one score, every row scored; the first rows are the anchors."""
    report = relcli.compare((IDS, x), (IDS, y), IDS[:30], measures=[name], views=view, include_anchors=True)
    return getattr(report.score(name, view), direction)


def lists_of(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return the nearest rows of each row, within and across; ids are in the order of the rows."""
    origin = Origin("(array)", "array", "float64", "given")
    pair = PairedSpaces.join(Space("x", IDS, x, origin), Space("y", IDS, y, origin))
    context = Context(probe=pair.probe(None), k=K, cross=True)
    found = LocalEngine(2, 90).reduce(pair, NeighborLists.empty(context, x.shape[1], y.shape[1]))
    return {way: lists.ranks for way, lists in found.lists.items()}


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean over rows of intersection over union."""
    return float(np.mean([len({*a} & {*b}) / len({*a} | {*b}) for a, b in zip(one, other, strict=True)]))


@pytest.mark.parametrize(("dx", "dy"), [(7, 7), (5, 9), (9, 5)])
def test_the_procrustes_residual_is_scipys_disparity(dx, dy):
    x, y = kin(dx, dy)
    d = max(dx, dy)
    disparity = procrustes(*(np.pad(v, ((0, 0), (0, d - v.shape[1]))) for v in (x, y)))[2]

    assert value("procrustes-residual", x, y) == pytest.approx(disparity, rel=1e-10)


def test_neighbours_are_scikit_learns():
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, y = kin(8, 8)
    search = neighbors.NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute")
    ours = lists_of(x, y)

    # asked without rows, scikit-learn leaves each row out of its own list
    assert np.array_equal(ours["xx"], search.fit(x).kneighbors(return_distance=False))
    assert np.array_equal(ours["yy"], search.fit(y).kneighbors(return_distance=False))
    assert np.array_equal(ours["xy"], search.fit(y).kneighbors(x, return_distance=False))


def test_jaccard_is_that_of_scikit_learns_lists():
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, y = kin(8, 6)
    search = neighbors.NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute")
    lists = [search.fit(v).kneighbors(return_distance=False) for v in (x, y)]

    assert value("jaccard@10", x, y) == pytest.approx(jaccard(*lists), abs=1e-12)


def test_relative_rows_are_scikit_learns_cosines():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    x, y = kin(8, 6)
    x, y = (pairwise.cosine_similarity(v, v[:30]) for v in (x, y))
    agreement = np.diag(pairwise.cosine_similarity(x, y)).mean()

    assert value("cosine", *kin(8, 6), view="relative") == pytest.approx(agreement, abs=1e-12)


def test_neighbours_are_faisses():
    faiss = pytest.importorskip("faiss")
    x, y = kin(8, 8)
    units = [np.float32(v / np.linalg.norm(v, axis=1, keepdims=True)) for v in (x, y)]
    ours = lists_of(x, y)
    for (a, b), way in (((0, 0), "xx"), ((1, 1), "yy"), ((0, 1), "xy"), ((1, 0), "yx")):
        index = faiss.IndexFlatIP(8)
        index.add(units[b])
        found = index.search(units[a], K + 1)[1]
        # faiss finds a row itself first, there being no copies
        theirs = found[:, 1:] if a == b else found[:, :K]

        assert np.array_equal(ours[way], theirs)


def test_recall_is_that_of_faisses_lists():
    faiss = pytest.importorskip("faiss")
    x, y = kin(8, 8)
    index = faiss.IndexFlatIP(8)
    index.add(np.float32(y / np.linalg.norm(y, axis=1, keepdims=True)))
    found = index.search(np.float32(x / np.linalg.norm(x, axis=1, keepdims=True)), 5)[1]
    hits = np.mean(found == np.arange(ROWS)[:, None], axis=0).sum()

    assert value("recall@5", x, y, direction="forward") == pytest.approx(hits, abs=1e-12)
