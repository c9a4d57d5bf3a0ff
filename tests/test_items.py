"""What became of each query: the table of items, the file it is written to, and the items that moved most."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import relcli
from relcli.engines.local import LocalEngine
from relcli.errors import OutputError, RelcliError, UsageError
from relcli.evaluation.items import COLUMNS, item_table, most_moved
from relcli.evaluation.views import fill, make_views
from relcli.formats.items import SUFFIXES, save_items
from relcli.measures.catalog import DEFAULT, find_measures
from relcli.spaces.anchors import find_anchors
from relcli.spaces.pairing import PairedSpaces
from tests import oracles
from tests.oracles import Case, clear_cut
from tests.strategies import cases, gaussian_pair, isometry

SAMPLES = Path(__file__).resolve().parent.parent / "sample_embeddings"
BY_RANK = COLUMNS[:5]  # what needs both sides to have one width
BY_LISTS = ("id", "jaccard", "neighbor_x", "neighbor_y")


def items_of(
    case: Case, view: str, names: tuple[str, ...] = (), engine: LocalEngine | None = None
) -> dict[str, np.ndarray]:
    """Return the table of items of a case on one view, every column filled whatever the measures read."""
    x, y = relcli.open_space((case.ids, case.x)), relcli.open_space((case.ids, case.y))
    anchors = np.array([case.ids[i] for i in case.anchors])
    pair = PairedSpaces.join(x, y)
    frame = find_anchors(pair, anchors, anchors)
    pair = pair.with_anchors(anchors, anchors, scored=case.include_anchors)
    measures = find_measures(names)
    views = make_views(pair, frame, measures, names=(view,), depth=case.k)
    fill(pair, views, measures, engine or LocalEngine(1, batch_rows=5), items_of=view)
    return item_table(pair, views[0], case.k)


def twin(case: Case, view: str) -> dict[str, list]:
    """Return the table written straight from the definitions, query by query, in order of id."""
    x, y = oracles.rows_of(case, view)
    queries = sorted(case.scored, key=lambda i: case.ids[i])
    table: dict[str, list] = {"id": [case.ids[i] for i in queries]}
    if x.shape[1] == y.shape[1]:
        s = oracles.score_table(x, y)
        ways = [[oracles.possible_ranks(t[i], i) for i in queries] for t in (s, s.T)]
        table["rank_forward"], table["rank_backward"] = ([float(np.mean(ranks)) for ranks in way] for way in ways)
        expected = [[float(np.mean(1 / np.array(ranks))) for ranks in way] for way in ways]
        table["reciprocal_rank"] = [(there + back) / 2 for there, back in zip(*expected, strict=True)]
        table["cosine"] = [float(s[i, i]) for i in queries]
    near_x, near_y = (oracles.neighbor_lists(v, case.ids, queries) for v in (x, y))
    table["jaccard"] = [oracles.jaccard(a[: case.k], b[: case.k]) for a, b in zip(near_x, near_y, strict=True)]
    table["neighbor_x"], table["neighbor_y"] = ([case.ids[near[0]] for near in way] for way in (near_x, near_y))
    return table


def compared_columns(case: Case, view: str) -> tuple[str, ...]:
    """Return the columns that two right computations agree on: an order may hang on the last bits of a score."""
    ranks = BY_RANK if clear_cut("mrr", case, view) else ("id", "cosine")
    return (*ranks, *(BY_LISTS if clear_cut("jaccard@k", case, view) else ()))


def test_every_column_equals_its_plain_twin():
    compared: Counter[str] = Counter()

    @settings(max_examples=100)
    @given(cases(), st.sampled_from(oracles.VIEWS))
    def on_each(case: Case, view: str) -> None:
        assume(len(case.anchors) >= 2 and case.scored and case.k < case.m)
        found, expected = items_of(case, view), twin(case, view)

        assert list(found) == list(expected)
        for name in compared_columns(case, view):
            if name in expected:
                texts = name in ("id", "neighbor_x", "neighbor_y")
                wanted = expected[name] if texts else pytest.approx(expected[name], rel=1e-12, abs=1e-12)
                assert found[name].tolist() == wanted, name
                compared[name] += 1

    on_each()

    assert {name for name in COLUMNS if compared[name] < 40} == set()


def test_ranks_are_expected_over_ties():
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    y = x.copy()
    y[1:3] = x[0]
    table = items_of(Case(x, y, ["a", "b", "c", "d"], [0, 3], True, 1), "absolute")

    # rows a, b and c of y are level: a's counterpart stands 1st, 2nd or 3rd
    assert table["rank_forward"].tolist() == [2.0, 2.0, 2.0, 1.0]
    assert table["reciprocal_rank"][0] == pytest.approx(((1 + 1 / 2 + 1 / 3) / 3 + 1) / 2)


@settings(max_examples=40)
@given(cases(), st.sampled_from(oracles.VIEWS), st.randoms(use_true_random=False))
def test_the_table_does_not_depend_on_the_order_of_the_rows(case, view, random):
    assume(len(case.anchors) >= 2 and case.scored and case.k < case.m)
    order = random.sample(range(case.m), case.m)
    shuffled = Case(
        case.x[order],
        case.y[order],
        [case.ids[i] for i in order],
        [order.index(i) for i in case.anchors],
        case.include_anchors,
        case.k,
    )
    one, other = items_of(case, view), items_of(shuffled, view, engine=LocalEngine(2, batch_rows=3))

    assert {name: column.tolist() for name, column in one.items()} == {
        name: column.tolist() for name, column in other.items()
    }


def test_the_two_files_may_have_their_rows_in_other_orders(tmp_path):
    x, y = gaussian_pair(3, 40, 5, 5)
    ids = np.array([f"{i:02d}" for i in range(40)])
    order = np.random.default_rng(0).permutation(40)
    for name, kept in (("one", np.arange(40)), ("other", order)):
        relcli.compare((ids, x), (ids[kept], y[kept]), ids[:6], items=tmp_path / f"{name}.jsonl")

    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "other.jsonl").read_bytes()


def test_anchors_are_no_items_unless_they_count(tmp_path):
    x, y = gaussian_pair(3, 20, 5, 5)
    ids = [f"{i:02d}" for i in range(20)]
    listed = {}
    for include in (False, True):
        relcli.compare((ids, x), (ids, y), ids[:4], items=tmp_path / "i.csv", include_anchors=include)
        listed[include] = read_csv(tmp_path / "i.csv")["id"]

    assert listed == {False: ids[4:], True: ids}


# Files

AWKWARD = ["plain", "007", "a,b", 'say "x"', "new\nline", "carriage\rreturn", "日本", "🦀", " ", "=1+1"]
TABLE = {
    "id": np.array(AWKWARD),
    "rank_forward": np.arange(1, 11) + 0.5,
    "cosine": np.linspace(-1, 1, 10) / 3,
    "neighbor_x": np.array(AWKWARD[::-1]),
}


def read_csv(path: Path) -> dict[str, list]:
    with open(path, encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file, quoting=csv.QUOTE_NONNUMERIC)
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def read_jsonl(path: Path) -> dict[str, list]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    return {name: [row[name] for row in rows] for name in rows[0]}


READERS = {".parquet": lambda path: pq.read_table(path).to_pydict(), ".csv": read_csv, ".jsonl": read_jsonl}


def test_every_suffix_is_read_back_here():
    assert set(READERS) == set(SUFFIXES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_back_to_the_bit(tmp_path, suffix):
    path = tmp_path / f"items{suffix.upper()}"
    save_items(path, TABLE)

    assert READERS[suffix](path) == {name: column.tolist() for name, column in TABLE.items()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_compare_writes_an_item_for_each_query(tmp_path, suffix):
    x, y = gaussian_pair(1, 30, 4, 4)
    ids = [f"{i:02d}" for i in range(30)]
    path = tmp_path / f"items{suffix}"
    report = relcli.compare((ids, x), (ids, y), ids[:5], k=3, items=path, measures=["mrr", "cosine", "jaccard@3"])
    table = READERS[suffix](path)

    assert list(table) == list(COLUMNS)
    assert table["id"] == ids[5:]
    assert np.mean(table["reciprocal_rank"]) == pytest.approx(report.score("mrr").value, rel=1e-12)
    assert np.mean(table["cosine"]) == pytest.approx(report.score("cosine").value, rel=1e-12)
    assert np.mean(table["jaccard"]) == pytest.approx(report.score("jaccard@3").value, rel=1e-12)


def test_the_table_is_whole_whatever_the_measures_are(tmp_path):
    x, y = gaussian_pair(1, 30, 4, 4)
    ids = [f"{i:02d}" for i in range(30)]
    names = {"few": ["linear-cka"], "many": [*DEFAULT, "jaccard@3"]}
    for name, measures in names.items():
        relcli.compare((ids, x), (ids, y), ids[:5], k=3, items=tmp_path / f"{name}.csv", measures=measures)

    assert (tmp_path / "few.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()


class NoEngine:
    """An engine that fails the test when anything is computed."""

    def reduce(self, *_args, **_options):
        raise AssertionError("something was computed")


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("items.xlsx", UsageError, r"items\.xlsx does not tell how to write the items: use one of \.parquet"),
        ("items", UsageError, "does not tell how to write"),
        ("items.jsnl", UsageError, r"Did you mean '?\.jsonl"),
        ("nowhere/items.csv", OutputError, "there is no folder .*nowhere.* Make it first"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_computing(tmp_path, path, error, says):
    x, y = gaussian_pair(1, 30, 4, 4)

    with pytest.raises(error, match=says):
        relcli.compare(x, y, ["0", "1", "2"], items=tmp_path / path, engine=NoEngine())
    assert list(tmp_path.iterdir()) == []


def test_a_depth_beyond_the_pairs_is_refused_where_items_want_neighbours(tmp_path):
    x, y = gaussian_pair(1, 8, 4, 4)

    with pytest.raises(UsageError, match="k = 8 neighbours need at least 9 shared pairs"):
        relcli.compare(x, y, ["0", "1"], items=tmp_path / "items.csv", measures=["mrr"], k=8)


# The items that moved most


def corrupted(y: np.ndarray, rows: np.ndarray, how: str, seed: int = 0) -> np.ndarray:
    """Return y with random vectors, or the vectors of one another, in some rows."""
    y = y.astype(np.float64)
    if how == "random vectors":
        y[rows] = np.random.default_rng(seed).standard_normal((len(rows), y.shape[1])) * y.std()
    else:
        y[rows] = y[np.roll(rows, 1)]
    return y


def precision(ids: np.ndarray, x: np.ndarray, y: np.ndarray, anchors: list[str], how: str) -> float:
    """Return which share of the top list is corrupted, where a twentieth of the rows is: the list is as long."""
    rows = np.random.default_rng(5).permutation(len(ids))[: len(ids) // 20]
    bad = set(ids[rows].tolist()) - set(anchors)
    report = relcli.compare(
        (ids, x), (ids, corrupted(y, rows, how)), anchors, moved=len(bad), measures=["mrr"], views="relative"
    )
    named = [item["id"] for item in report.moved]

    assert len(named) == len(set(named)) == len(bad)
    return sum(name in bad for name in named) / len(bad)


def sample(name: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return ids and vectors of a sample space, and the anchors."""
    ids = np.array((SAMPLES / f"{name}.ids.txt").read_text().split())
    return ids, np.load(SAMPLES / f"{name}.npy"), (SAMPLES / "anchors.txt").read_text().split()


@pytest.mark.parametrize("how", ["random vectors", "other rows"])
def test_a_corrupted_twentieth_of_the_samples_is_named(how):
    ids, x, anchors = sample("digits_ae_s0")

    assert precision(ids, x, x, anchors, how) >= 0.9


@pytest.fixture(scope="module")
def data() -> Path:
    """Return the folder with real embeddings."""
    if not os.environ.get("RELCLI_SHARED"):
        pytest.skip("RELCLI_SHARED is not set: it names the folder whose data/ holds real embeddings")
    return Path(os.environ["RELCLI_SHARED"]) / "data"


@pytest.mark.parametrize("how", ["random vectors", "other rows"])
@pytest.mark.parametrize("other", ["ae_s0", "ae_s1"], ids=["same model", "another seed"])
def test_a_corrupted_twentieth_of_real_images_is_named(data, other, how):
    folder = data / "vision_fmnist"
    ids = np.array((folder / "ids_test.txt").read_text().split())
    x, y = (np.load(folder / f"{name}_test.npy") for name in ("ae_s0", other))

    assert precision(ids, x, y, ids[:300].tolist(), how) >= 0.9


@pytest.mark.parametrize("other", ["clip_vitb32_detic_fp16", "minilm384"], ids=["same model", "another model"])
def test_a_corrupted_twentieth_of_real_names_is_found_in_a_narrow_space(data, other):
    # mismatched rows have relative cosines of 0.95 here
    folder = data / "clip_lvis"
    ids = np.array((folder / "ids.txt").read_text().removesuffix("\n").split("\n"))
    x, y = (np.load(folder / f"{name}.npy") for name in ("clip_vitb32_detic_fp16", other))

    assert precision(ids, x, y, ids[::4].tolist(), "random vectors") >= 0.9


def small(seed: int = 1, dy: int = 4) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return 30 ids, a space, and its noisy rotation, or an unrelated space of another width."""
    x, noise = gaussian_pair(seed, 30, 4, dy)
    return [f"{i:02d}" for i in range(30)], x, x @ isometry(seed, 4) + 0.3 * noise if dy == 4 else noise


def test_ten_items_are_named_worst_first():
    ids, x, y = small()
    report = relcli.compare((ids, x), (ids, y), ids[:5])
    ranks = [item["rank_forward"] + item["rank_backward"] for item in report.moved]

    assert len(report.moved) == 10
    assert ranks == sorted(ranks, reverse=True)
    assert max(ranks) > 2


def test_the_named_items_have_the_figures_of_the_table(tmp_path):
    ids, x, y = small()
    report = relcli.compare((ids, x), (ids, y), ids[:5], items=tmp_path / "items.jsonl", moved=30)
    table = read_jsonl(tmp_path / "items.jsonl")
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]

    assert sorted(report.moved, key=lambda item: item["id"]) == rows


def test_none_are_named_when_none_are_wanted():
    ids, x, y = small()

    assert relcli.compare((ids, x), (ids, y), ids[:5], moved=0).moved == ()


def test_a_negative_number_of_items_is_refused():
    ids, x, y = small()

    with pytest.raises(RelcliError, match="--moved -1 is negative"):
        relcli.compare((ids, x), (ids, y), ids[:5], moved=-1)


def test_widths_that_differ_leave_jaccard_to_decide():
    ids, x, y = small(dy=6)
    report = relcli.compare((ids, x), (ids, y), ids[:5], views="absolute", moved=25)
    worst_first = [item["jaccard"] for item in report.moved]

    assert list(report.moved[0]) == list(BY_LISTS)
    assert worst_first == sorted(worst_first)
    assert worst_first[0] < worst_first[-1]


def test_measures_that_count_no_ranks_leave_cosine_to_decide():
    ids, x, y = small()
    report = relcli.compare((ids, x), (ids, y), ids[:5], measures=["linear-cka"])
    cosines = [item["cosine"] for item in report.moved]

    assert list(report.moved[0]) == ["id", "cosine"]
    assert cosines == sorted(cosines)


def test_nothing_to_judge_by_names_nothing():
    assert most_moved({"id": np.array(["a", "b"])}, 10) == ()


def test_level_items_go_by_id():
    table = {"id": np.array(["a", "b", "c"]), "cosine": np.array([0.5, 0.1, 0.5])}

    assert [item["id"] for item in most_moved(table, 3)] == ["b", "a", "c"]
