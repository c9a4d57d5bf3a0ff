"""Every tier of products finds the same neighbours, ranks and counts, to the bit: those of float64 brute force."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
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
from relcli.accumulators.tiles import Board, Scorable, Strip, settle
from relcli.arrays import GRID, unit_rows
from relcli.engines.local import LocalEngine
from relcli.errors import UsageError
from relcli.kernels import compiled, halves, integers, tiers
from relcli.kernels.tiers import TIERS
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import PairedSpaces
from relcli.spaces.space import Origin, Space
from tests.strategies import gaussian_pair

ROOT = Path(__file__).resolve().parent.parent


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
every_tier = pytest.mark.parametrize("tier", TIERS[1:])


@contextmanager
def of_tier(tier: str) -> Iterator[None]:
    """Let products be of a tier; skip where this machine has none such."""
    try:
        tiers.check_tier(tier)
    except UsageError as error:
        pytest.skip(str(error))
    with tiers.using(tier) as used:
        yield
        assert used == {tier}


@every_way
@every_tier
@settings(max_examples=25, deadline=None)
@given(made=pairs(70, 40))
def test_small_pairs_are_those_of_brute_force(loops, tier, made):
    with looped(loops), eager(), of_tier(tier):
        check(made)


@pytest.mark.slow
@every_way
@every_tier
@settings(max_examples=200, deadline=None)
@given(made=pairs(300, 700))
def test_pairs_are_those_of_brute_force(loops, tier, made):
    with looped(loops), eager(100), of_tier(tier):
        check(made)


@every_tier
@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**16),
    shape=st.tuples(st.integers(2, 60), st.integers(1, 120)),
    share=st.sampled_from([0.2, 0.5, 1.0]),
    across=st.booleans(),
)
def test_no_score_is_further_off_than_its_bound(tier, kind, seed, shape, share, across):
    x, y = rows_of(kind, seed, *shape)
    centres = [unit_rows(side[: max(1, len(side) // 2)]).mean(axis=0) for side in (x, y)]
    turn = depths.turn_of([(x, centres[0]), (y, centres[1])]) if shape[1] > 1 and seed % 2 else None
    queries = Scorable(x, *centres, turn)
    gallery = Scorable(y, *centres[::-1], turn) if across else queries
    depth = max(1, round(share * shape[1]))
    with of_tier(tier):
        board = Board(gallery, across=across, depth=depth, kernel=tiers.choose_kernel(0))
        for tile in Strip(queries, board, np.arange(len(x))[::-1]).tiles():
            i, j = (index.ravel() for index in np.indices((len(x), tile.columns.stop - tile.columns.start)))
            cosines = settle(queries, gallery, len(x) - 1 - i, j + tile.columns.start)
            row, column, scores = tile.reaching(np.full(len(x), -np.inf))
            found = np.full((len(x), tile.columns.stop - tile.columns.start), np.nan)
            found[row, column] = scores
            off = np.abs(found.ravel() + centres[0] @ centres[1 if across else 0] - cosines)

            assert (off <= tile.row_error[i]).all()
            assert (off <= tile.column_error[j]).all()


def test_each_bound_is_of_the_size_of_what_it_bounds():
    x, y = rows_of("plain", 2, 60, 64)
    centre = np.zeros(64)
    queries, gallery = Scorable(x, centre, centre), Scorable(y, centre, centre)
    for tier in TIERS[1:]:
        with of_tier(tier):
            board = Board(gallery, across=True, kernel=tiers.choose_kernel(0))
            (tile,) = Strip(queries, board).tiles()
            row, column, scores = tile.reaching(np.full(60, -np.inf))
            off = np.abs(scores - settle(queries, gallery, row, column))

            # a bound that nothing comes near by a factor of 1,000 would let everything through
            assert off.max() > tile.row_error.min() / 1e3


def test_a_product_that_is_not_exact_turns_whole_numbers_off(monkeypatch, torch):
    def lying(a, b, out):
        out[:] = a.astype(np.int64) @ b.astype(np.int64).T
        out[-1, -1] += 1

    monkeypatch.setattr(integers, "integer_product", lying)
    tiers._kernel.cache_clear()
    try:
        with pytest.raises(UsageError, match="products of whole numbers are not exact"), tiers.using("int8"):
            pass
        assert integers.exact_up_to() is None
    finally:
        tiers._kernel.cache_clear()


def test_a_product_that_adds_in_16_bits_keeps_one_side_to_64(monkeypatch):
    def saturating(a, b, out):
        # the left side is made unsigned, and pairs of products are cut off at 16 bits
        width = a.shape[1] // 2 * 2
        a, b = a.astype(np.int64) + 128, b.astype(np.int64)
        pairs = sum(a[:, None, part:width:2] * b[None, :, part:width:2] for part in (0, 1))
        sums = np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=2) + a[:, width:] @ b[:, width:].T
        out[:] = sums - 128 * b.sum(axis=1)

    monkeypatch.setattr(integers, "integer_product", saturating)

    assert integers.exact_up_to() == 64


def test_a_bfloat16_product_beyond_its_bound_is_not_used(monkeypatch):
    def lying(a, b, out):
        out[:] = 0

    monkeypatch.setattr(halves, "bfloat16_product", lying)

    assert not halves.keeps_its_bound()


CAPPED = """
import numpy as np
from relcli.kernels.integers import Integers, exact_up_to, LARGEST
largest = exact_up_to()
assert largest in (None, 64, 127), largest
if largest:
    rng = np.random.default_rng(1)
    kernel = Integers(largest)
    rows = rng.standard_normal((65, 301)).astype(np.float32)
    size = np.full(65, 1e9)
    a, b = kernel.left(rows, size), kernel.right(rows, size)
    out = np.empty((65, 65), np.int32)
    kernel.multiply(a, b, out)
    assert (out == a.rows.astype(np.int64) @ b.rows.astype(np.int64).T).all()
    assert np.abs(b.rows).max() == largest
print(largest)
"""


def test_an_older_processor_gets_products_that_are_exact_or_none(torch):
    done = subprocess.run(
        [sys.executable, "-c", CAPPED],
        capture_output=True,
        text=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stderr


def test_an_unknown_tier_is_refused_with_the_nearest_name():
    with pytest.raises(UsageError, match="Did you mean"), tiers.using("int"):
        pass


def test_little_to_do_is_done_without_torch(monkeypatch):
    monkeypatch.setattr(tiers, "_rates", lambda: pytest.fail("measured"))

    with tiers.using("auto") as used:
        assert tiers.choose_kernel(1e6).name == "fp32"
    assert used == {"fp32"}


@pytest.mark.parametrize(
    "rates", [{"fp32": 50.0, "int8": 200.0, "bf16": 90.0}, {"fp32": 50.0, "int8": 2.0, "bf16": 8.0}]
)
def test_much_to_do_is_done_by_what_is_fastest(monkeypatch, rates, torch):
    for cached in (tiers._fastest, tiers._kernel):
        cached.cache_clear()
    monkeypatch.setattr(tiers, "_has_any", lambda flags: True)
    monkeypatch.setattr(tiers, "_rates", cache(lambda: rates))
    monkeypatch.setattr(tiers, "exact_up_to", lambda: 127)
    try:
        with tiers.using("auto"):
            assert tiers.choose_kernel(1e13).name == ("int8" if rates["int8"] > 50 else "fp32")
    finally:
        for cached in (tiers._fastest, tiers._kernel):
            cached.cache_clear()


@every_way
@every_tier
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_that_of_brute_force(loops, tier, kind):
    x, y = rows_of(kind, 7, 150, 24)
    with looped(loops), eager(64), of_tier(tier):
        check(Made(x, y, 10, 150, 70, 2))


@every_way
@every_tier
@pytest.mark.parametrize("kind", KINDS)
def test_hits_are_those_of_brute_force(loops, tier, kind):
    x, y = rows_of(kind, 5, 150, 24)
    pair = paired(x, y)
    with looped(loops), eager(40), of_tier(tier):
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


REAL = (
    ("text_trec/minilm384.npy", "text_trec/e5small384_f16.npy"),
    ("text_trec/lsa384.npy", "text_trec/minilm384.npy"),
    ("vision_fmnist/cnn_s0_test.npy", "vision_fmnist/cnn_s1_test.npy"),
)


@pytest.mark.slow
@pytest.mark.skipif("RELCLI_SHARED" not in os.environ, reason="RELCLI_SHARED names no folder of real spaces")
@every_way
@every_tier
@pytest.mark.parametrize("names", REAL, ids=lambda names: names[0])
def test_real_spaces_are_those_of_brute_force(loops, tier, names):
    x, y = (np.load(Path(os.environ["RELCLI_SHARED"]) / "data" / name)[:900].astype(np.float64) for name in names)
    with looped(loops), eager(128), of_tier(tier):
        check(Made(x, y, 10, 900, 300, 2))
