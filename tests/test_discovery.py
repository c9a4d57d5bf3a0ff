"""`match` without anchors finds the pairs of a rotation, grows them from seeds, and never looks at an id."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import relcli
from relcli.cli.app import run
from relcli.errors import AnchorError, DataError, JoinError, OutputError, UsageError, VectorError
from relcli.evaluation import discovery
from relcli.formats.lists import open_pairs
from relcli.reports.schema import report_schema
from tests import oracles_match as plain
from tests.strategies import gaussian_pair, isometry

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
SHARED = os.environ.get("RELCLI_SHARED")

Side = tuple[list[str], np.ndarray]


def pair(n: int = 200, d: int = 12, noise: float = 0.0, seed: int = 0, dy: int | None = None) -> tuple[Side, Side]:
    """Return skewed clusters whose axes differ in length, and a noisy rotation of them, rows in another order."""
    rng = np.random.default_rng(seed)
    centres = 2 * rng.standard_normal((7, d))
    x = (centres[rng.integers(0, 7, n)] + rng.exponential(size=(n, d))) * np.linspace(1.5, 0.5, d)
    y = np.pad(x, ((0, 0), (0, (dy or d) - d))) @ isometry(seed + 1, dy or d)
    y = y + noise * rng.standard_normal(y.shape)
    order = rng.permutation(n)
    return ([f"r{i}" for i in range(n)], x), ([f"r{i}" for i in order], y[order])


def pairs_of(x: object, y: object, folder: Path, *args: object, **options: object) -> list[tuple[str, str]]:
    """Return the discovered pairs of ids."""
    relcli.match(x, y, *args, pairs_out=folder / "pairs.tsv", **options)
    x_ids, y_ids = open_pairs(folder / "pairs.tsv")
    return list(zip(x_ids.tolist(), y_ids.tolist(), strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rotation_is_found_wholly_without_anchors(seed):
    report = relcli.match(*pair(seed=seed))

    assert report.score("pairs-right", "discovered").value == 1.0
    assert report.score("rows-found", "discovered").value == 1.0
    assert report.score("matching-accuracy", "translate:ortho").value == 1.0
    assert report.extra["discovery"]["status"] == "experimental"


def test_a_rotation_into_more_dimensions_is_found():
    report = relcli.match(*pair(dy=20))

    assert report.score("pairs-right", "discovered").value == 1.0


def test_ids_and_the_order_of_rows_change_no_pair(tmp_path):
    (ids, x), (ids_y, y) = pair(noise=0.3)
    first = pairs_of((ids, x), (ids_y, y), tmp_path)
    order = np.random.default_rng(5).permutation(len(y))
    turned = pairs_of((ids[::-1], x[::-1]), ([ids_y[i] for i in order], y[order]), tmp_path)
    # other names of x, and names of y that point to the wrong rows
    names_x = {name: f"other-{hash(name) % 97}-{name}" for name in ids}
    names_y = dict(zip(ids_y, [f"other-{hash(name) % 97}-{name}" for name in reversed(ids_y)], strict=True))
    renamed = pairs_of(([names_x[i] for i in ids], x), ([names_y[i] for i in ids_y], y), tmp_path)

    assert turned == first
    assert renamed == [(names_x[i], names_y[j]) for i, j in first]


def test_the_same_seed_gives_the_same_bits():
    first, second = (relcli.match(*pair(noise=0.4), seed=3) for _ in range(2))

    assert first == second


def test_equal_rows_of_both_sides_stand_at_unrelated_places():
    v = np.random.default_rng(0).standard_normal((400, 3))
    first, second = (np.argsort(np.argsort(discovery.content_hash(v, salt=salt))) for salt in (0, 1))

    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15
    assert np.array_equal(discovery.content_hash(v[::-1], salt=0), discovery.content_hash(v, salt=0)[::-1])


def test_unrelated_spaces_are_confirmed_by_nothing_and_said_to_be():
    report = relcli.match(*gaussian_pair(0, 150, 10, 10))

    assert report.score("pairs-right", "discovered").value < 0.1
    assert report.extra["discovery"]["confirmed"] < discovery.ENOUGH
    assert len(report.extra["discovery"]["starts"]) == len(discovery.EXPONENTS)
    assert any("all may be wrong" in note for note in report.notes)


def test_confident_pairs_are_right_more_often():
    report = relcli.match(*pair(n=400, noise=1.3))

    whole, half = (report.score(name, "discovered").value for name in ("pairs-right", "pairs-right-top-half"))
    levels = report.extra["discovery"]["calibration"]
    sure = [level for level in levels if level["confidence"] == 1.0]
    unsure = [level for level in levels if level["confidence"] <= 0.4]
    assert 0.2 < whole < 1.0
    assert half > whole
    assert sure[0]["right"] > sum(one["right"] * one["pairs"] for one in unsure) / sum(one["pairs"] for one in unsure)
    assert sum(level["pairs"] for level in levels) == report.extra["discovery"]["pairs"]


def test_seeds_grow_to_more_pairs_and_match_better_than_alone():
    report = relcli.match(*pair(n=500, d=40, noise=0.6), "uniform:10", bootstrap=100)

    stages = report.extra["discovery"]["stages"]
    assert [stage["anchors"] for stage in stages] == [10, 15, 23, 35, 53, 80, 100]
    assert stages[0]["right"] is None
    assert stages[-1]["right"] > 0.9
    via = "translate:ortho"
    grown, alone = (report.score(f"{of}matching-accuracy", via).value for of in ("", "seeds-"))
    assert grown > alone + 0.1
    assert grown > report.score("true-matching-accuracy", via).value - 0.05
    assert report.anchors["count"] == 100


def test_seeds_are_kept_and_stand_first(tmp_path):
    seeds = [f"r{i}" for i in range(8)]
    found = pairs_of(*pair(), tmp_path, seeds, bootstrap=60)

    assert found[:8] == [(name, name) for name in seeds]
    assert len(set(found)) == len(found) == len({x for x, _ in found}) == len({y for _, y in found})


def test_a_wrong_seed_is_marked(tmp_path):
    seeds = [*((f"r{i}", f"r{i}") for i in range(12)), ("r50", "r60")]
    relcli.match(*pair(), seeds, bootstrap=60, pairs_out=tmp_path / "pairs.tsv")
    rows = [line.split("\t") for line in (tmp_path / "pairs.tsv").read_text().splitlines()]

    assert {row[0]: row[3] for row in rows[1:14]} == {f"r{i}": "true" for i in range(12)} | {"r50": "false"}


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
def test_pairs_are_read_back_as_anchors(suffix, tmp_path):
    x, y = pair()
    place = tmp_path / f"pairs{suffix}"
    report = relcli.match(x, y, sample=120, pairs_out=place)
    x_ids, _ = open_pairs(place)

    assert len(x_ids) == report.extra["discovery"]["pairs"]
    assert relcli.match(x, y, place, queries=20).anchors["count"] == len(x_ids)


def test_spaces_without_shared_ids_are_not_measured(tmp_path):
    (ids, x), (_, y) = pair()
    report = relcli.match((ids, x), ([f"other-{i}" for i in range(len(y))], y), pairs_out=tmp_path / "pairs.tsv")

    assert report.scores == ()
    assert report.extra["discovery"]["measured"] is False
    assert {level["right"] for level in report.extra["discovery"]["calibration"]} == {None}
    assert any("cannot be measured" in note and "share no ids" in note for note in report.notes)
    assert len(open_pairs(tmp_path / "pairs.tsv")[0]) > 190


def test_samples_are_drawn_on_each_side_by_itself():
    report = relcli.match(*pair(n=400), sample=200)

    found = report.extra["discovery"]
    assert (found["rows_x"], found["rows_y"]) == (200, 200)
    # a draw by id would leave every partner in
    assert 70 < report.score("rows-found", "discovered").pairs < 130
    assert any("200 of 400 rows" in note for note in report.notes)


def test_shared_only_leaves_other_rows_out():
    (ids, x), (ids_y, y) = pair()
    more = np.random.default_rng(1).standard_normal((100, x.shape[1])) + 5
    report = relcli.match(
        (ids + [f"x{i}" for i in range(100)], np.concatenate([x, more])), (ids_y, y), shared_only=True
    )

    assert report.extra["discovery"]["rows_x"] == len(x)
    assert any("had that much from the ids" in note for note in report.notes)
    with pytest.raises(JoinError, match="shared-only"):
        relcli.match((ids, x), ([f"o{i}" for i in ids_y], y), shared_only=True)


def test_copies_are_left_out_and_bad_rows_refused_or_dropped():
    (ids, x), y = pair()
    x[5] = x[9]
    assert relcli.match((ids, x), y).extra["discovery"]["copies_x"] == 2

    x[30] = np.nan
    with pytest.raises(VectorError, match="r30"):
        relcli.match((ids, x), y)
    report = relcli.match((ids, x), y, on_bad="drop")
    assert report.extra["discovery"]["rows_x"] == len(x) - 3
    assert report.score("pairs-right", "discovered").value == 1.0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sample": 5}, UsageError, "20 to 20,000"),
        ({"sample": 20_001}, UsageError, "20 to 20,000"),
        ({"seeds": 3}, UsageError, "--seeds"),
        ({"bootstrap": 50}, UsageError, "grows from seeds"),
        ({"anchors": "uniform:60", "bootstrap": 50}, UsageError, "60 seeds are to grow to --bootstrap 50"),
        ({"anchors": "uniform:10", "sample": 50}, UsageError, "leave --anchors out"),
        ({"pairs_out": "pairs.txtt"}, UsageError, "does not tell how to write the pairs"),
        ({"pairs_out": "nowhere/pairs.tsv"}, OutputError, "no folder"),
        ({"on_bad": "dorp"}, UsageError, "Did you mean 'drop'"),
        ({"queries": 190}, DataError, "Ask for fewer"),
        ({"seed": -1}, UsageError, "0 or more"),
    ],
)
def test_wrong_options_are_explained(options, error, words):
    with pytest.raises(error, match=words):
        relcli.match(*pair(), **options)


def test_too_few_rows_and_rows_all_alike_are_refused():
    (ids, x), y = pair()

    with pytest.raises(DataError, match="at least 20 are needed"):
        relcli.match((ids[:12], x[:12]), y)
    with pytest.raises(DataError, match="0 of 200 rows"):
        relcli.match((ids, np.ones_like(x)), y)
    with pytest.raises(AnchorError, match="share no ids"):
        relcli.match((ids, x), ([f"o{i}" for i in range(len(y[1]))], y[1]), "uniform:10", bootstrap=50)


def test_each_step_agrees_with_its_plain_twin():
    rng = np.random.default_rng(2)
    v = rng.standard_normal((30, 6)) * np.linspace(2, 0.5, 6)
    x, y = discovery.normalised(v), discovery.normalised(rng.standard_normal((25, 6)))
    pairs = rng.permutation(30)[:12], rng.permutation(25)[:12]
    products = discovery.similarities(x, y, pairs)
    scores = discovery.csls(products, 4)
    rows, columns = discovery.mutual_pairs(scores)

    assert x == pytest.approx(plain.normalised(v), abs=1e-6)
    for exponent in discovery.EXPONENTS:
        assert discovery.profiles(x, exponent, 40) == pytest.approx(
            plain.profiles(x.astype(float), exponent, 40), abs=2e-4
        )
    assert products == pytest.approx(plain.rotated(x.astype(float), y.astype(float), pairs), abs=1e-5)
    assert scores == pytest.approx(plain.csls(products.astype(float), 4), abs=1e-5)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == plain.mutual_pairs(scores)
    assert discovery.margins(scores, rows, columns) == pytest.approx(
        [plain.margin(scores, i, j) for i, j in zip(rows, columns, strict=True)], abs=1e-5
    )


def test_few_pairs_compare_only_the_directions_they_span():
    rng = np.random.default_rng(0)
    x, y = (discovery.normalised(rng.standard_normal((40, 9))) for _ in range(2))
    some = np.arange(3)
    products = discovery.similarities(x, y, (some, some))

    # rows of x that are orthogonal to the anchors get no say at all
    basis, _ = np.linalg.qr(x[some].T)
    outside = x - x @ basis @ basis.T
    assert np.linalg.matrix_rank(products, tol=1e-4) == 3
    assert np.abs(discovery.similarities(np.vstack([x[some], outside]), y, (some, some))[3:]).max() < 1e-5


def test_a_pair_is_confirmed_by_others_only():
    (_, x), _ = pair(n=100)
    x = discovery.normalised(x)
    same = np.arange(100)
    wrong = same.copy()
    wrong[[3, 4]] = wrong[[4, 3]]
    shares = discovery.confirmed_share(x, x, (same, wrong))

    assert shares[[3, 4]] == pytest.approx(0.0)
    assert np.delete(shares, [3, 4]) == pytest.approx(1.0)


def test_the_command_prints_a_table_and_json_and_writes_pairs(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("COLUMNS", "80")
    ask = ["match", "digits_ae_s0.npy", "digits_ae_s1.parquet", "--sample", "900", "--queries", "100"]

    assert run([*ask, "--pairs-out", str(tmp_path / "pairs.tsv")]) == 0
    out = capfd.readouterr().out
    assert "DISCOVERY (EXPERIMENTAL)" in out
    assert "note experimental" in out
    assert max(map(len, out.splitlines())) <= 80
    assert (tmp_path / "pairs.tsv").read_text().startswith("x_id\ty_id\tconfidence\tmutual\n")
    assert run([*ask, "--anchors", "uniform:10", "--bootstrap", "100", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    jsonschema.validate(document, report_schema())
    assert document["extra"]["discovery"]["seeds"] == 10
    assert document["settings"]["bootstrap"] == 100


@pytest.mark.skipif(not SHARED, reason="RELCLI_SHARED names no folder of real embeddings")
def test_two_autoencoders_are_matched_without_anchors():
    folder = Path(SHARED or "") / "data" / "vision_fmnist"
    ids = (folder / "ids_test.txt").read_text().split()[:1000]
    x, y = (np.load(folder / f"ae_s{i}_test.npy")[:1000] for i in (0, 1))
    report = relcli.match((ids, x), (ids, y))

    assert report.score("pairs-right", "discovered").value > 0.99
    assert report.score("rows-found", "discovered").value > 0.99


@pytest.mark.skipif(not SHARED, reason="RELCLI_SHARED names no folder of real embeddings")
def test_words_grow_from_ten_seeds():
    folder = Path(SHARED or "") / "data" / "words"
    report = relcli.match(
        folder / "w2v.npy", folder / "fasttext_cc2k.parquet", "uniform:10", bootstrap=300, shared_only=True
    )

    assert report.score("pairs-right", "discovered").value > 0.98
    grown, true = (report.score(f"{of}matching-accuracy", "translate:ortho").value for of in ("", "true-"))
    assert grown > true - 0.03
