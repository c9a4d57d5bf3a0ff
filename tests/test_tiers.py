"""Every tier of products finds the same neighbours, ranks and counts, to the bit: those of float64 brute force."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relcli.accumulators import depths, entering, hits, sides, tiles
from relcli.accumulators.accumulator import Context
from relcli.accumulators.composite import Bundle
from relcli.accumulators.hits import Hits, Search
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.ranks import RankCounts
from relcli.arrays import GRID, unit_rows
from relcli.engines.local import LocalEngine
from relcli.kernels import compiled
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import PairedSpaces
from relcli.spaces.space import Origin, Space
from tests.strategies import gaussian_pair


@dataclass(frozen=True)
class Made:
    """A pair of spaces of one width, a depth of lists, how many queries, and how they are read."""

    x: np.ndarray
    y: np.ndarray
    k: int
    queries: int
    batch: int
    workers: int


KINDS = ("plain", "copies", "lattice", "cone", "hub", "heavy tails", "scales", "decay", "anchors", "two dimensions")


def rows_of(kind: str, seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair of spaces of one kind."""
    rng = np.random.default_rng(seed)
    x, noise = gaussian_pair(seed, n, d, d)
    y = x + 0.3 * noise if seed % 2 else noise
    if kind == "copies":
        few = rng.integers(0, max(2, n // 8), n)
        x, y = x[few], y[rng.permutation(few)] if seed % 3 else y[few]
    elif kind == "lattice":
        x, y = np.sign(np.rint(x)), np.rint(y)
    elif kind == "cone":
        x, y = 1 + 0.03 * x, 1 + 0.03 * y
    elif kind == "hub":
        x[0], y[0] = 100 * np.ones(d), 100 * np.ones(d)
        x[1:] += 2
    elif kind == "heavy tails":
        x, y = x / rng.uniform(1e-3, 1, (n, 1)) + 1e3 * (rng.random((n, d)) < 0.01), y**3
    elif kind == "scales":
        scale = 10.0 ** rng.integers(-30, 30, (n, 1))
        x, y = x * scale, y * scale[::-1]
    elif kind == "decay":
        fall = 1 / np.arange(1, d + 1)
        x, y = x * fall, y * fall
    elif kind == "anchors":
        # relative rows, of which some are anchors: each has a spike at its own coordinate
        unit = unit_rows(gaussian_pair(seed + 1, max(n, d), d, 1)[0])
        x, y = unit[:n] @ unit[:d].T, unit_rows(unit[:n] + 0.1 * rng.standard_normal((n, d))) @ unit[:d].T
    elif kind == "two dimensions":
        x[:, 2:], y[:, 2:] = 0, 0
    x[rng.random(n) < 0.02] = 0
    return x, y


@st.composite
def pairs(draw: st.DrawFn, rows: int, width: int) -> Made:
    """Return a pair that strains a filter."""
    n = draw(st.integers(2, rows))
    d = draw(st.one_of(st.integers(1, 8), st.integers(1, width)))
    x, y = rows_of(draw(st.sampled_from(KINDS)), draw(st.integers(0, 2**16)), n, d)
    k = draw(st.one_of(st.integers(1, min(12, n - 1)), st.integers(1, n - 1)))
    return Made(
        x, y, k, draw(st.one_of(st.just(n), st.integers(1, n))), draw(st.integers(1, n)), draw(st.integers(1, 3))
    )


@contextmanager
def eager(tile: int = 40) -> Iterator[None]:
    """Turn, seed and cut short however little there is to do, in tiles that do not hold all."""
    with (
        mock.patch.object(sides, "worth_turning", lambda queries, width: width > 1),
        mock.patch.object(depths, "depths_of", lambda width: sorted({max(1, width // 3), max(1, width // 2), width})),
        mock.patch.object(hits, "worth_turning", lambda queries, width: width > 1),
        mock.patch.object(entering, "SEEDED", 2),
        mock.patch.object(entering, "SEEDS", (4, 4096)),
        mock.patch.object(sides, "RANKED", 2),
        mock.patch.object(tiles, "TILE_ROWS", tile),
        mock.patch.object(tiles, "TILE_COLUMNS", tile + 7),
    ):
        yield


@contextmanager
def looped(wanted: bool) -> Iterator[None]:
    """Let compiled loops do the work, or numpy."""
    if wanted:
        pytest.importorskip("numba")
        compiled.want_compiled(10**12)
        assert compiled.loops() is not None
        with mock.patch.object(compiled, "_loops", compiled.loops()):
            yield
    else:
        with mock.patch.object(compiled, "_loops", None), mock.patch.object(compiled, "_refused", True):
            yield


def paired(x: np.ndarray, y: np.ndarray) -> PairedSpaces:
    """Return all rows joined, in an order of ids that is not theirs."""
    origin = Origin("(array)", "array", "float64", "given")
    ids = np.array([f"{i:05d}" for i in np.random.default_rng(len(x)).permutation(len(x))])
    return PairedSpaces.join(Space("x", ids, x, origin), Space("y", ids, y, origin))


def found_in(made: Made, pair: PairedSpaces) -> dict[str, np.ndarray]:
    """Return ranks and scores of all lists, and the counts."""
    context = Context(probe=pair.probe(made.queries), k=made.k, cross=True)
    d = made.x.shape[1]
    empty = Bundle({"lists": NeighborLists.empty(context, d, d), "ranks": RankCounts.empty(context, d, d)})
    bundle = LocalEngine(made.workers, made.batch).reduce(pair, empty)
    lists, ranks = bundle["lists"].lists, bundle["ranks"]
    found = {f"ranks {way}": each.ranks for way, each in lists.items()}
    found |= {f"scores {way}": each.scores for way, each in lists.items()}
    found |= {f"greater {way}": counts for way, counts in ranks.greater.items()}
    return found | {f"level {way}": counts for way, counts in ranks.level.items()}


def brute_force(made: Made, pair: PairedSpaces) -> dict[str, np.ndarray]:
    """Return the same from a table of all cosines in float64, each added up as a pair of rows alone."""
    every = pair.batch(np.argsort(pair.rank))
    probe = pair.probe(made.queries)
    known, rows = {"x": probe.x, "y": probe.y}, {"x": every.x, "y": every.y}
    found = {}
    for a in "xy":
        for b in "xy":
            norms = [np.sqrt(np.einsum("ij,ij->i", side, side)) for side in (known[a], rows[b])]
            norms = [np.where(norm > 0, norm, 1.0) for norm in norms]
            table = np.stack(
                [np.einsum("ij,ij->i", np.repeat(row[None], len(rows[b]), 0), rows[b]) for row in known[a]]
            )
            table = np.rint(table / (norms[0][:, None] * norms[1]) / GRID) * GRID
            way, own = a + b, (np.arange(len(probe)), probe.rank)
            if a != b:
                truth = table[own][:, None]
                found[f"greater {way}"] = (table > truth).sum(axis=1)
                found[f"level {way}"] = (table == truth).sum(axis=1) - 1
            else:
                table[own] = -np.inf
            order = np.argsort(-table, axis=1, kind="stable")[:, : made.k]
            found[f"ranks {way}"], found[f"scores {way}"] = order, np.take_along_axis(table, order, axis=1)
    return found


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def check(made: Made) -> None:
    """Fail where lists, ranks or counts differ from brute force."""
    pair = paired(made.x, made.y)
    assert_equal(found_in(made, pair), brute_force(made, pair))


every_way = pytest.mark.parametrize("loops", [False, True], ids=["numpy", "compiled"])


@every_way
@settings(max_examples=60, deadline=None)
@given(made=pairs(70, 40))
def test_small_pairs_are_those_of_brute_force(loops, made):
    with looped(loops), eager():
        check(made)


@pytest.mark.slow
@every_way
@settings(max_examples=200, deadline=None)
@given(made=pairs(300, 700))
def test_pairs_are_those_of_brute_force(loops, made):
    with looped(loops), eager(100):
        check(made)


@every_way
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_that_of_brute_force(loops, kind):
    x, y = rows_of(kind, 7, 150, 24)
    with looped(loops), eager(64):
        check(Made(x, y, 10, 150, 70, 2))


@every_way
@pytest.mark.parametrize("kind", KINDS)
def test_hits_are_those_of_brute_force(loops, kind):
    x, y = rows_of(kind, 5, 150, 24)
    pair = paired(x, y)
    with looped(loops), eager(40):
        found = hits_of(pair, 7)
    made = Made(x, y, 7, 150, 150, 1)
    expected = brute_force(made, pair)

    np.testing.assert_array_equal(found.lists.ranks, expected["ranks xy"])
    np.testing.assert_array_equal(found.lists.scores, expected["scores xy"])


def hits_of(pair: PairedSpaces, k: int) -> Hits:
    """Return the hits of all rows of x, by rank, among those of y."""
    rows = pair.batch(np.argsort(pair.rank))
    gallery = Gallery.of(pair.y)
    search = Search(rows.x, k, project=np.asarray, sample=rows.y[::3], rows=len(pair))
    return LocalEngine(2, 60).reduce(gallery, Hits(search))
