"""The five laws, over every accumulator there is: a new one is tested the moment it exists."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import relcli.accumulators as package
from relcli.accumulators.accumulator import Accumulator, Context
from relcli.accumulators.columns import Columns
from relcli.accumulators.composite import Bundle, Folds, Parts, Through
from relcli.accumulators.moments import CrossMoments, HeldOut, HeldOutRidge
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Census, Probe
from relcli.accumulators.ranks import RankCounts
from relcli.spaces.pairing import PairedBatch, PairedSpaces
from relcli.spaces.relative import RelativeProjection
from relcli.spaces.space import Origin, Space
from tests.strategies import gaussian_pair

ROWS, WIDTH, ANCHORS = 60, 5, 8
COMPOSITES = (Bundle, Through, Folds, Parts)

# sums of floats in another order differ by rounding, all else must not
SUMS = (CrossMoments, HeldOut, HeldOutRidge, Census, Columns)
ROUNDING = 1e-12


def found() -> list[type]:
    """Return every class of the package that takes in batches and merges with its like."""
    classes = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            is_one = all(callable(getattr(kind, name, None)) for name in ("empty", "fresh", "update", "merge"))
            if is_one and kind.__module__ == module.__name__ and kind is not Accumulator:
                classes.append(kind)
    return classes


def space(name: str, ids: list[str], vectors: np.ndarray) -> Space:
    """Return a space in memory."""
    return Space(name, np.array(ids), vectors, Origin("(array)", "array", "float64", "given"))


def joined(dx: int, dy: int) -> PairedSpaces:
    """Return pairs with copies of rows, level scores, anchors that are searched and not scored, and a bad row."""
    x, y = gaussian_pair(dx * 100 + dy, ROWS, dx, dy)
    x[40:50], y[45:55] = x[30:40], y[20:30]
    x[50:], y[55:] = np.sign(x[50:]), np.sign(y[55:])
    ids = [f"id-{i}" for i in np.random.default_rng(1).permutation(ROWS)]
    pair = PairedSpaces.join(space("x", ids, x), space("y", ids, y))
    return pair.with_anchors(pair.ids[:ANCHORS], pair.ids[:ANCHORS], scored=False)


PAIRS = {"equal widths": joined(WIDTH, WIDTH), "unequal widths": joined(WIDTH, 3)}


def context_of(pair: PairedSpaces) -> Context:
    """Return what a pass over the pairs would know: 20 queries, the anchors, lists of 4 within and across."""
    anchors = pair.batch(slice(0, ANCHORS))
    return Context(probe=pair.probe(20), anchors=(anchors.x, anchors.y), k=4, cross=True)


def plain(kind: type) -> Callable[[PairedSpaces], Accumulator]:
    """Return what makes an empty one of a class."""
    return lambda pair: kind.empty(context_of(pair), pair.x.dim, pair.y.dim)


def bundle(pair: PairedSpaces) -> Accumulator:
    """Return one of everything that is not made of others."""
    return Bundle({kind.__name__: plain(kind)(pair) for kind in found() if kind not in COMPOSITES})


def through(pair: PairedSpaces) -> Accumulator:
    """Return the same on relative rows."""
    context = context_of(pair)
    x, y = (RelativeProjection(side) for side in context.anchors)
    seen = context.through(x, y)
    kinds = [kind for kind in found() if kind not in COMPOSITES]
    return Through(Bundle({kind.__name__: kind.empty(seen, ANCHORS, ANCHORS) for kind in kinds}), x, y)


def folds(pair: PairedSpaces) -> Accumulator:
    """Return moments by fold."""
    return Folds.of(Bundle({"moments": plain(CrossMoments)(pair), "held out": plain(HeldOut)(pair)}), 4)


def parts(pair: PairedSpaces) -> Accumulator:
    """Return moments by group: three groups, and a quarter of the pairs in none."""
    inner = Bundle({"moments": plain(CrossMoments)(pair), "held out": plain(HeldOut)(pair)})
    return Parts.of(inner, np.arange(ROWS) % 4 - 1, 3)


MAKERS: dict[str, Callable[[PairedSpaces], Accumulator]] = {
    **{kind.__name__: plain(kind) for kind in found() if kind not in COMPOSITES},
    **{kind.__name__: make for kind, make in zip(COMPOSITES, (bundle, through, folds, parts), strict=True)},
}
every_accumulator = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
every_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)


def readings(accumulator: Accumulator) -> Iterator[tuple[str, Any, float]]:
    """Yield all that a measure could read off: where it stands, the numbers, and how much rounding they may show."""
    if isinstance(accumulator, Bundle):
        inner = accumulator.parts.items()
    elif isinstance(accumulator, Folds):
        inner = [*enumerate(accumulator.folds), ("total", accumulator.total())]
    elif isinstance(accumulator, Parts):
        inner = enumerate(accumulator.parts)
    elif isinstance(accumulator, Through):
        inner = [("inner", accumulator.inner)]
    else:
        rounding = ROUNDING if isinstance(accumulator, SUMS) else 0.0
        for path, value in public(accumulator, type(accumulator).__name__):
            yield path, value, rounding
        return
    for name, part in inner:
        yield from ((f"{name}.{path}", value, rounding) for path, value, rounding in readings(part))


def public(thing: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every public number, array, text or list that hangs on a thing, with the way to it."""
    if thing is None or isinstance(thing, np.ndarray | np.generic | int | float | str | list):
        yield path, thing
    elif isinstance(thing, dict | tuple):
        items = thing.items() if isinstance(thing, dict) else enumerate(thing)
        for key, value in items:
            yield from public(value, f"{path}[{key!r}]")
    elif isinstance(thing, Census):
        # its lists of bad rows are in the order of arrival until they are read
        yield from public((thing.count, thing.sum_x, thing.sum_y, thing.ranks()), path)
    elif not isinstance(thing, Context):
        names = {name for name in dir(thing) if not name.startswith("_")}
        for name in sorted(names):
            with np.errstate(invalid="ignore"):  # an empty one has no correlation
                value = getattr(thing, name)
            if not callable(value):
                yield from public(value, f"{path}.{name}")


def assert_same(one: Accumulator, other: Accumulator, *, to_the_bit: bool = False) -> None:
    """Fail where a measure could tell the two apart by more than the order of a sum."""
    ours, theirs = list(readings(one)), list(readings(other))

    assert [path for path, _, _ in ours] == [path for path, _, _ in theirs]
    for (path, here, rounding), (_, there, _) in zip(ours, theirs, strict=True):
        if isinstance(here, str | list) or here is None:
            assert here == there, path
            continue
        rounding = 0.0 if to_the_bit else rounding
        size = float(np.max(np.abs(there), initial=1.0)) if rounding else 0.0
        # a sum near 0 is as far off as its terms are large
        np.testing.assert_allclose(here, there, rtol=rounding, atol=rounding * ROWS * size, err_msg=path)


def arrays_of(thing: Any, seen: set[int] | None = None) -> Iterator[np.ndarray]:
    """Yield every array that can be reached from a thing, private ones included."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, str | bytes | int | float | type) or thing is None:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from arrays_of(value, seen)
    elif isinstance(thing, list | tuple | set):
        for value in thing:
            yield from arrays_of(value, seen)
    elif hasattr(thing, "__dict__") and not callable(thing):
        yield from arrays_of(vars(thing), seen)


def shared_memory(one: Accumulator, other: Any, known: Accumulator) -> list[tuple[int, ...]]:
    """Return the shapes of what one shares with another, beyond what both were made with."""
    settings_of_both = {id(array) for array in arrays_of(known)}
    ours = [array for array in arrays_of(one) if id(array) not in settings_of_both and array.size]
    theirs = [array for array in arrays_of(other) if id(array) not in settings_of_both and array.size]
    return [a.shape for a in ours for b in theirs if np.shares_memory(a, b)]


def fed(empty: Accumulator, pair: PairedSpaces, rows: np.ndarray, size: int = ROWS) -> Accumulator:
    """Return an accumulator of its own that has seen these rows, `size` at a time."""
    own = empty.fresh()
    for start in range(0, len(rows), size):
        own.update(pair.batch(rows[start : start + size]))
    return own


@dataclass(frozen=True)
class Plan:
    """A way through the pairs: their order, rows of a batch, which worker takes each batch, who merges first."""

    order: list[int]
    size: int
    workers: int
    seed: int

    def carried_out(self, empty: Accumulator, pair: PairedSpaces) -> Accumulator:
        rng = np.random.default_rng(self.seed)
        parts = [empty.fresh() for _ in range(self.workers)]
        for start in range(0, len(self.order), self.size):
            batch = pair.batch(np.array(self.order[start : start + self.size]))
            parts[rng.integers(self.workers)].update(batch)
        while len(parts) > 1:
            into, other = rng.choice(len(parts), 2, replace=False)
            parts[into].merge(parts[other])
            del parts[other]
        return parts[0]


plans = st.builds(Plan, st.permutations(range(ROWS)), st.integers(1, ROWS), st.integers(1, 5), st.integers(0, 2**16))


def test_every_accumulator_is_found():
    assert {kind.__name__ for kind in found()} == set(MAKERS)
    assert {CrossMoments, HeldOut, NeighborLists, RankCounts, Probe, Census, *COMPOSITES} <= set(found())


@every_accumulator
def test_batching_splitting_and_order_do_not_show(make):
    @settings(max_examples=25)
    @given(plans, st.sampled_from(list(PAIRS.values())))
    def on_each(plan: Plan, pair: PairedSpaces) -> None:
        empty = make(pair)
        assert_same(plan.carried_out(empty, pair), fed(empty, pair, np.arange(ROWS)))

    on_each()


@every_pair
@every_accumulator
def test_an_empty_one_changes_nothing(make, pair):
    empty = make(pair)
    expected = fed(empty, pair, np.arange(ROWS))
    full, into = fed(empty, pair, np.arange(ROWS)), empty.fresh()
    full.merge(empty.fresh())
    into.merge(expected)

    assert_same(full, expected)
    assert_same(into, expected)


@every_pair
@every_accumulator
def test_a_fresh_one_is_empty(make, pair):
    empty = make(pair)

    assert_same(fed(empty, pair, np.arange(ROWS)).fresh(), empty)


@every_pair
@every_accumulator
def test_merging_into_an_empty_one_then_another_leaves_both_untouched(make, pair):
    whole = make(pair)
    one, other = (fed(whole, pair, rows) for rows in (np.arange(30), np.arange(30, ROWS)))
    before = copy.deepcopy([one, other])
    whole.merge(one)
    whole.merge(other)

    for now, then in zip((one, other), before, strict=True):
        assert_same(now, then, to_the_bit=True)


@every_pair
@every_accumulator
def test_merging_keeps_none_of_the_others_arrays(make, pair):
    whole = make(pair)
    one, other = (fed(whole, pair, rows) for rows in (np.arange(30), np.arange(30, ROWS)))
    whole.merge(one)
    after_one = shared_memory(whole, one, whole.fresh())
    whole.merge(other)

    assert after_one == []
    assert shared_memory(whole, [one, other], whole.fresh()) == []


@every_pair
@every_accumulator
def test_what_was_merged_may_change_afterwards(make, pair):
    whole = make(pair)
    one = fed(whole, pair, np.arange(30))
    whole.merge(one)
    expected = copy.deepcopy(whole)
    one.update(pair.batch(np.arange(30, ROWS)))

    assert_same(whole, expected)


def owned(batch: PairedBatch) -> PairedBatch:
    """Return the batch with arrays of its own."""
    return replace(batch, **{item.name: getattr(batch, item.name).copy() for item in fields(batch)})


@every_pair
@every_accumulator
@pytest.mark.parametrize("scored", [True, False], ids=["all scored", "anchors not scored"])
def test_updating_keeps_no_view_of_the_batch(make, pair, scored):
    batch = owned(pair.with_anchors(pair.ids[:ANCHORS], pair.ids[:ANCHORS], scored=scored).batch(slice(0, ROWS)))
    seen, expected = make(pair), make(pair)
    seen.update(batch)
    expected.update(owned(batch))

    assert shared_memory(seen, [getattr(batch, item.name) for item in fields(batch)], expected.fresh()) == []
    for item in fields(batch):
        array = getattr(batch, item.name)
        array[:] = ~array if array.dtype == bool else 77
    assert_same(seen, expected)


@every_pair
@every_accumulator
def test_it_survives_pickling_and_goes_on(make, pair):
    whole = make(pair)
    one, other = (fed(whole, pair, rows) for rows in (np.arange(30), np.arange(30, ROWS)))
    copies = [pickle.loads(pickle.dumps(each)) for each in (whole, one, other)]

    assert_same(copies[1], one)
    for copied in copies[1:]:
        copies[0].merge(copied)
    assert_same(copies[0], fed(whole, pair, np.arange(ROWS)))


@every_accumulator
def test_pairs_leave_a_trace(make):
    pair = PAIRS["equal widths"]
    empty = make(pair)
    full = fed(empty, pair, np.arange(ROWS))

    with pytest.raises(AssertionError):
        assert_same(full, empty)


def test_folds_part_the_pairs_and_leave_each_out_once():
    pair = PAIRS["equal widths"]
    filled = fed(Folds.of(plain(CrossMoments)(pair), 4), pair, np.arange(ROWS))
    counts = [fold.count for fold in filled.folds]

    assert filled.total().count == sum(counts) == ROWS - ANCHORS
    assert [left.count for left in filled.without_each()] == [sum(counts) - count for count in counts]


def test_parts_take_the_pairs_of_their_code_and_no_others():
    pair = PAIRS["equal widths"]
    codes = np.arange(ROWS) % 4 - 1
    filled = fed(Parts.of(plain(CrossMoments)(pair), codes, 3), pair, np.arange(ROWS), 7)
    alone = [fed(plain(CrossMoments)(pair), pair, np.flatnonzero(codes[pair.rank] == code)) for code in range(3)]

    for part, expected in zip(filled.parts, alone, strict=True):
        assert_same(part, expected)


def filled(kind: type, pair: PairedSpaces, context: Context) -> Accumulator:
    """Return an accumulator that has seen all pairs under a context."""
    if kind is Probe:
        return Probe.of(context)
    return fed(kind.empty(context, pair.x.dim, pair.y.dim), pair, np.arange(ROWS), 13)


SELECTIONS = {"some": np.array([1, 4, 5, 19]), "one": np.array([7]), "all": np.arange(20)}


@every_pair
@pytest.mark.parametrize("queries", SELECTIONS.values(), ids=SELECTIONS)
@pytest.mark.parametrize("kind", [Probe, NeighborLists, RankCounts], ids=lambda kind: kind.__name__)
def test_only_some_queries_are_what_a_pass_with_them_alone_finds(kind, queries, pair):
    context = context_of(pair)
    whole = filled(kind, pair, context)
    before = copy.deepcopy(whole)
    some = whole.only(queries)

    assert_same(some, filled(kind, pair, context.only(queries)))
    np.testing.assert_array_equal(some.context.queries.rank, context.queries.rank[queries])
    assert_same(whole, before, to_the_bit=True)
    assert shared_memory(some, whole, context) == []


def test_a_census_names_bad_rows_whoever_met_them():
    x, y = gaussian_pair(1, 9, 3, 3)
    x[2], x[7], y[4, 1] = 0.0, np.nan, np.inf
    ids = [f"{i}" for i in range(9)]
    pair = PairedSpaces.join(space("x", ids, x), space("y", ids, y))
    parts = [fed(Census(3, 3), pair, rows) for rows in (np.array([7, 8, 2]), np.array([5, 4, 0]), np.array([1, 3, 6]))]
    for part in parts[1:]:
        parts[0].merge(part)

    assert parts[0].ranks() == {("x", "NaN"): [7], ("x", "zero"): [2], ("y", "Inf"): [4]}
    assert parts[0].count == 6
    np.testing.assert_allclose(parts[0].sum_y, y[[0, 1, 3, 5, 6, 8]].sum(axis=0))


def test_sums_survive_a_mean_far_larger_than_the_spread():
    x, y = gaussian_pair(5, 400, 4, 4)
    ids = [f"{i:03d}" for i in range(400)]
    shift = 1e6 * np.arange(1, 5)
    far = PairedSpaces.join(space("x", ids, x + shift), space("y", ids, y + shift))
    moments = fed(CrossMoments.empty(Context(probe=far.probe(40)), 4, 4), far, np.arange(400), 50)
    centred_x, centred_y = x - x.mean(axis=0), y - y.mean(axis=0)

    # adding 1e6 rounds each row to 1e-10
    np.testing.assert_allclose(moments.xx, centred_x.T @ centred_x, atol=1e-7)
    np.testing.assert_allclose(moments.xy, centred_x.T @ centred_y, atol=1e-7)
