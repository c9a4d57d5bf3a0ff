"""`stitch` gives what scikit-learn gives when it is used plainly, and explains what it cannot do."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score, f1_score, mean_squared_error, precision_recall_fscore_support, r2_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

import relcli
from relcli.cli.app import run
from relcli.errors import AnchorError, DataError, FormatError, IdError, JoinError, UsageError, VectorError
from relcli.measures.prediction import class_figures, explained_share
from relcli.reports.stitching import stitching_schema, to_csv, to_document, to_markdown, to_text
from relcli.spaces.translation import fit_translation
from tests.strategies import isometry

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
N, D, CLASSES = 240, 8, 4
IDS = np.array([f"w{i}" for i in range(N)])
ANCHORS = [f"w{i}" for i in range(0, 60, 2)]
TEST = np.arange(N) % 3 == 0
HEADS = {
    "svm": LinearSVC(dual="auto", random_state=0),
    "logistic": LogisticRegression(max_iter=1000),
    "ridge": RidgeClassifier(),
    "mlp": MLPClassifier(random_state=0),
}


@pytest.fixture(autouse=True)
def _one_thread():
    with threadpool_limits(limits=1):
        yield


def world(dy: int = D, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x of four classes, y as x turned and noisy, and the classes, rows in order of IDS."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, CLASSES, N)
    x = 1.5 * rng.standard_normal((CLASSES, D))[codes] + rng.standard_normal((N, D))
    y = (np.pad(x, ((0, 0), (0, max(dy - D, 0)))) @ isometry(2, max(D, dy)))[:, :dy]
    return x, y + noise * rng.standard_normal(y.shape), codes


def stitched(dy: int = D, **options: Any) -> Any:
    """Return the figures of the two spaces of `world`, y's rows in another order."""
    x, y, codes = world(dy)
    order = np.random.default_rng(9).permutation(N)
    given = {
        "anchors": ANCHORS,
        "labels": (IDS, [f"c{code}" for code in codes]),
        "split": (IDS, np.where(TEST, "test", "train")),
        **options,
    }
    return relcli.stitch((IDS, x), (IDS[order], y[order]), **given)


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def plainly(via: str, *, back: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that a head is trained on, and those that it is tested on, from x to y unless `back`."""
    x, y, _ = world()
    source, target = (y, x) if back else (x, y)
    at = [int(name[1:]) for name in ANCHORS]
    if via == "relative":
        source, target = unit(source) @ unit(source[at]).T, unit(target) @ unit(target[at]).T
    if via.startswith("translate:"):
        target = fit_translation(target[at], source[at], method=via.partition(":")[2])(target)
    kept = TEST & ~np.isin(np.arange(N), at)
    return source[~TEST], target[kept]


def truth(back: bool = False) -> tuple[np.ndarray, np.ndarray]:
    codes = world()[2]
    kept = TEST & ~np.isin(IDS, ANCHORS)
    return codes[~TEST], codes[kept]


@pytest.mark.parametrize("scaler", ["none", "standard"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_agrees_with_plain_scikit_learn(head, scaler):
    found = stitched(head=head, scaler=scaler, translate=["ortho", "linear"])
    y_train, y_test = truth()

    for back in (False, True):
        names = ("space 2", "space 1") if back else ("space 1", "space 2")
        for via in ("absolute", "relative", "translate:ortho", "translate:linear"):
            train, test = plainly(via, back=back)
            steps = [StandardScaler()] if scaler == "standard" else []
            predicted = make_pipeline(*steps, HEADS[head]).fit(train, y_train).predict(test)
            figures = found.stitch(*names, via).figures

            # rows whose decision is a rounding error wide may fall either way
            assert figures["accuracy"].mean == pytest.approx(accuracy_score(y_test, predicted), abs=2 / len(y_test))
            expected = f1_score(y_test, predicted, average="weighted")
            assert figures["weighted-f1"].mean == pytest.approx(expected, abs=2.5 / len(y_test))


def test_the_table_of_classes_is_scikit_learns():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, 50), rng.integers(0, 6, 50)
    figures = class_figures(true, predicted, 7)
    expected = precision_recall_fscore_support(true, predicted, labels=range(7), zero_division=0)

    for mine, theirs in zip((figures.precision, figures.recall, figures.f1, figures.support), expected, strict=True):
        assert mine == pytest.approx(theirs)


def test_the_ceiling_is_a_head_in_its_own_space():
    found = stitched(head="ridge")
    x, _, codes = world()
    kept = TEST & ~np.isin(IDS, ANCHORS)
    expected = RidgeClassifier().fit(x[~TEST], codes[~TEST]).score(x[kept], codes[kept])
    own = found.stitch("space 1", "space 1", "absolute")

    assert own.figures["accuracy"].mean == pytest.approx(expected)
    assert own.of_ceiling == 1.0
    assert not own.stitched
    across = found.stitch("space 1", "space 2", "translate:ortho")
    assert across.of_ceiling == pytest.approx(across.figures["accuracy"].mean / expected)
    assert across.of_ceiling > 0.9
    assert found.stitch("space 1", "space 2", "absolute").of_ceiling < 0.7


def test_chance_is_the_majority_class_of_training():
    found = stitched(head="ridge")
    y_train, y_test = truth()

    assert found.chance["accuracy"].mean == pytest.approx(np.mean(y_test == np.bincount(y_train).argmax()))


def test_transductive_standardises_the_test_rows_and_says_so():
    found = stitched(head="ridge", scaler="standard", transductive=True)
    train, test = plainly("relative")
    y_train, y_test = truth()
    head = RidgeClassifier().fit(StandardScaler().fit_transform(train), y_train)
    expected = np.mean(head.predict(StandardScaler().fit_transform(test)) == y_test)

    figure = found.stitch("space 1", "space 2").figures["accuracy"].mean
    assert figure == pytest.approx(expected, abs=2 / len(y_test))
    assert "transductive" in to_text(found)
    assert any("would not know" in note for note in found.notes)


def test_a_regression_is_plain_ridge():
    x, _, _ = world()
    target = x @ np.arange(D) + 3
    found = stitched(labels=(IDS, target), regression=True)
    train, test = plainly("translate:ortho")
    kept = TEST & ~np.isin(IDS, ANCHORS)
    predicted = Ridge().fit(train, target[~TEST]).predict(test)
    figures = found.stitch("space 1", "space 2", "translate:ortho").figures

    assert figures["r2"].mean == pytest.approx(r2_score(target[kept], predicted), rel=1e-6)
    assert figures["mse"].mean == pytest.approx(mean_squared_error(target[kept], predicted), rel=1e-6)
    assert found.task == "regression"


def test_reconstruction_predicts_the_rows_of_a_dump():
    x, _, _ = world()
    targets = np.tanh(x @ np.random.default_rng(0).standard_normal((D, 5)))
    order = np.random.default_rng(1).permutation(N)
    found = stitched(labels=None, targets=(IDS[order], targets[order]))
    train, test = plainly("translate:ortho")
    kept = TEST & ~np.isin(IDS, ANCHORS)
    predicted = Ridge().fit(train, targets[~TEST]).predict(test)

    figure = found.stitch("space 1", "space 2", "translate:ortho").figures["r2"].mean
    assert figure == pytest.approx(r2_score(targets[kept], predicted, multioutput="variance_weighted"), rel=1e-6)
    assert found.labels["dim"] == 5


def test_a_share_of_nothing_is_no_number():
    assert np.isnan(explained_share(np.ones((3, 2)), np.zeros((3, 2))))


def test_every_ordered_pair_of_several_spaces_is_there():
    x, y, codes = world(dy=11)
    given = {"anchors": "uniform:20", "labels": (IDS, codes), "head": "ridge"}
    found = relcli.stitch((IDS, x), (IDS, y), (IDS, 2 * x), **given)
    names = {(s.source, s.target) for s in found.stitches}

    assert len(names) == 9
    assert "8 dimensions" in found.stitch("space 1", "space 2", "absolute").undefined_because
    assert found.stitch("space 1", "space 3").figures["accuracy"].mean > 0.8


def test_spaces_of_one_name_are_told_apart(tmp_path):
    x, y, codes = world()
    for folder, rows in (("a", x), ("b", y)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "model.npy", rows)
    rows = [str(i) for i in range(N)]
    found = relcli.stitch(
        tmp_path / "a" / "model.npy",
        tmp_path / "b" / "model.npy",
        anchors=rows[:20],
        labels=(rows, codes),
        head="ridge",
    )

    assert [space["name"] for space in found.spaces] == ["model", "model (2)"]


def test_equal_calls_give_equal_documents():
    options = {"anchors": "uniform:25", "split": None, "seeds": 2, "similarity": ["cosine", "euclidean"]}

    assert to_document(stitched(**options)) == to_document(stitched(**options))


def test_the_order_of_rows_and_labels_does_not_show():
    x, y, codes = world()
    order = np.random.default_rng(4).permutation(N)
    given = {"anchors": "uniform:25", "head": "ridge", "seeds": 2}
    first = relcli.stitch((IDS, x), (IDS, y), labels=(IDS, codes), **given)
    second = relcli.stitch((IDS[order], x[order]), (IDS, y), labels=(IDS[order], codes[order]), **given)

    assert first.stitches == second.stitches


def test_a_drawn_split_keeps_the_classes_shares_and_differs_by_seed():
    found = stitched(split=None, test_size=0.25, anchors="uniform:20", seeds=3, head="ridge")
    figure = found.stitch("space 1", "space 1", "absolute").figures["accuracy"]
    support = [entry["support"] for entry in found.stitch("space 1", "space 2").classes]

    assert found.rows["test"] == round(0.25 * N)
    assert support == pytest.approx(0.25 * np.bincount(world()[2]), abs=1)
    assert len(set(figure.values)) > 1
    assert figure.sd == pytest.approx(np.std(figure.values, ddof=1))


def test_anchors_are_chosen_among_train_rows_and_listed_ones_not_tested_on():
    assert stitched(anchors="uniform:50", head="ridge").rows["test"] == TEST.sum()
    found = stitched(head="ridge")

    assert found.rows["test"] == (TEST & ~np.isin(IDS, ANCHORS)).sum()
    assert any("anchors are test rows" in note for note in found.notes)


def test_centring_undoes_a_shift():
    x, _, codes = world()
    given = {"anchors": ANCHORS, "labels": (IDS, codes), "head": "ridge"}
    plain, centred = (
        relcli.stitch((IDS, x), (IDS, x + 9), center=center, **given).stitch("space 1", "space 2")
        for center in (False, True)
    )

    assert centred.of_ceiling > 0.95
    assert plain.of_ceiling < centred.of_ceiling


@pytest.mark.parametrize(
    "labels",
    [
        [f"c{code}" for code in world()[2]],
        world()[2].tolist(),
        (world()[2] > 1).tolist(),
        world()[2].astype(float).tolist(),
    ],
    ids=["strings", "ints", "bools", "floats"],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_labels_are_strings_numbers_or_truth_values(labels, suffix, tmp_path):
    path = tmp_path / f"labels{suffix}"
    if suffix == ".csv":
        path.write_text("id,label\n" + "".join(f"{i},{value}\n" for i, value in zip(IDS, labels, strict=True)))
    else:
        pq.write_table(pa.table({"id": IDS.tolist(), "label": labels}), path)
    found = stitched(labels=path, head="ridge")

    assert len(found.labels["classes"]) == len(set(labels))


def test_labels_in_an_array_go_by_the_rows_of_x(tmp_path):
    np.save(tmp_path / "labels.npy", world()[2])

    assert len(stitched(labels=tmp_path / "labels.npy", head="ridge").labels["classes"]) == CLASSES
    np.save(tmp_path / "short.npy", world()[2][:-1])
    with pytest.raises(FormatError, match="one for each of 240 rows"):
        stitched(labels=tmp_path / "short.npy")


def test_missing_labels_are_counted_and_may_be_dropped():
    labels = (IDS[:-3], world()[2][:-3])
    with pytest.raises(IdError, match=r"3 of 240 rows have no label.*'w237', 'w238', 'w239'.*--missing-labels drop"):
        stitched(labels=labels)

    found = stitched(labels=labels, missing_labels="drop", head="ridge")
    assert found.rows["used"] == N - 3
    assert any("3 rows have no label" in note for note in found.notes)


def test_targets_that_are_no_numbers_are_explained():
    target = [str(value) for value in np.linspace(0, 1, N)]
    with pytest.raises(DataError, match=r"2 targets of given labels are no finite numbers: 'w1', 'w5'"):
        stitched(labels=(IDS, ["nan" if i in (1, 5) else target[i] for i in range(N)]), regression=True)
    with pytest.raises(DataError, match=r"gives w1 the target 'cat', which is no number"):
        stitched(labels=(IDS, ["cat" if i == 1 else target[i] for i in range(N)]), regression=True)

    left = ["nan" if i in (1, 5) else target[i] for i in range(N)]
    assert stitched(labels=(IDS, left), regression=True, missing_labels="drop").rows["used"] == N - 2


def test_classes_on_one_side_of_the_split_are_told():
    codes = world()[2].astype(str)
    codes[TEST & (codes == "0")] = "only test"
    found = stitched(labels=(IDS, codes), head="ridge")

    assert any("1 classes have no train rows" in note and "'only test'" in note for note in found.notes)
    assert any("1 classes have no test rows: '0'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"labels": (IDS, ["one"] * N)}, DataError, "All 240 rows have one label, 'one'"),
        ({"labels": (IDS, np.where(TEST, "a", "b"))}, DataError, "All 160 train rows have one label, 'b'"),
        ({"labels": (IDS, IDS)}, DataError, "240 different labels for 240 rows"),
        ({"labels": (["z"], ["a"])}, IdError, "240 of 240 rows have no label"),
        ({"labels": (["z"], ["a"]), "missing_labels": "drop"}, IdError, "Make the ids match"),
        ({"labels": ([], [])}, IdError, "holds no rows"),
        ({"labels": (["w1", "w1"], ["a", "b"])}, IdError, "1 ids have more than one label: 'w1'"),
        ({"labels": (["w1"], ["a", "b"])}, IdError, "1 ids were given for 2 labels"),
        ({"labels": None}, UsageError, "either labels or targets"),
        ({"split": (IDS, ["train"] * N)}, DataError, "marks none of the 240 shared rows as 'test'"),
        ({"test_size": 0.5}, UsageError, "--split tells which rows"),
        ({"split": None, "test_size": 1.5}, UsageError, "no share between 0 and 1"),
        ({"split": None, "test_size": 0.001}, DataError, "rows are left to test on"),
        ({"head": "svn"}, UsageError, "Did you mean 'svm'"),
        ({"head": "svm", "regression": True}, UsageError, "no head for regression"),
        ({"scaler": "standart"}, UsageError, "Did you mean 'standard'"),
        ({"transductive": True}, UsageError, "--scaler standard"),
        ({"translate": ["orto"]}, UsageError, "Did you mean 'ortho'"),
        ({"similarity": ["cosin"]}, UsageError, "Did you mean 'cosine'"),
        ({"seeds": 0}, UsageError, "1 or more"),
        ({"anchors": [("w1", "w2"), ("w3", "w4")]}, AnchorError, "List single ids"),
        ({"anchors": ["w1", "w2", "nobody"]}, AnchorError, "nobody"),
        ({"sedes": 1}, UsageError, "Did you mean 'seeds'"),
    ],
)
def test_what_cannot_be_done_is_explained(options, kind, words):
    with pytest.raises(kind, match=words):
        stitched(**options)


def test_bad_rows_are_refused_or_dropped():
    x, y, codes = world()
    x[100], y[101] = np.nan, 0
    given = {"anchors": ANCHORS, "labels": (IDS, codes), "head": "ridge"}

    with pytest.raises(VectorError, match=r"space 1 \('w100'\); 1 rows of space 2 \('w101'\)"):
        relcli.stitch((IDS, x), (IDS, y), **given)
    assert relcli.stitch((IDS, x), (IDS, y), on_bad="drop", **given).rows["used"] == N - 2


def test_spaces_must_be_two_and_share_ids():
    x, y, codes = world()
    with pytest.raises(UsageError, match="needs two or more"):
        relcli.stitch((IDS, x), anchors=ANCHORS, labels=(IDS, codes))
    with pytest.raises(JoinError):
        relcli.stitch((IDS, x), ([f"z{i}" for i in range(N)], y), anchors=ANCHORS, labels=(IDS, codes))


def test_documents_hold_the_same_figures():
    found = stitched(head="ridge", seeds=2, split=None)
    document = to_document(found)
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))

    jsonschema.validate(json.loads(json.dumps(document)), stitching_schema())
    assert len(rows) == 2 * len(found.stitches)
    assert float(rows[0]["mean"]) == document["stitches"][0]["figures"]["accuracy"]["mean"]
    assert "space 1 | space 2 | translate:ortho" in to_markdown(found)
    assert max(map(len, to_text(found, per_class=True).splitlines())) <= 80


def test_the_command_prints_a_table_and_json_that_validates(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("COLUMNS", "80")
    spaces = ["digits_ae_s0.npy", "digits_conv.safetensors"]
    ask = ["stitch", *spaces, "--labels", "labels.csv", "--anchors", "anchors.txt", "--split", "labels.csv"]
    ask += ["--head", "ridge"]

    assert run([*ask, "--per-class", "-o", str(tmp_path / "found.md")]) == 0
    out = capfd.readouterr().out
    assert "digits_ae_s0 → digits_conv" in out
    assert "precision" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "digits" in (tmp_path / "found.md").read_text()
    assert run([*ask, "--json"]) == 0
    jsonschema.validate(json.loads(capfd.readouterr().out), stitching_schema())
    assert run([*ask, "--format", "junit"]) == 2
    assert run(["schema", "stitch"]) == 0


@pytest.mark.skipif(not os.environ.get("RELCLI_SHARED"), reason="RELCLI_SHARED names the folder of real embeddings")
@pytest.mark.parametrize(
    ("names", "relative", "translated", "own"),
    [(("ae_s0", "ae_s1"), 0.684, 0.751, 0.736), (("cnn_s0", "cnn_s1"), 0.756, 0.786, 0.801)],
)
def test_real_autoencoders_and_classifiers_stitch_as_an_independent_script_found(names, relative, translated, own):
    folder = Path(os.environ["RELCLI_SHARED"]) / "data" / "vision_fmnist"
    parts = ("train", "test")
    ids = [(folder / f"ids_{part}.txt").read_text().split() for part in parts]
    labels = [list(csv.DictReader((folder / f"labels_{part}.csv").open())) for part in parts]
    found = relcli.stitch(
        *(([*ids[0], *ids[1]], np.concatenate([np.load(folder / f"{n}_{part}.npy") for part in parts])) for n in names),
        anchors="uniform:300",
        labels=tuple([row[column] for row in [*labels[0], *labels[1]]] for column in ("id", "label")),
        split=([*ids[0], *ids[1]], ["train"] * len(ids[0]) + ["test"] * len(ids[1])),
        head="ridge",
        seeds=3,
    )
    figures = {via: found.stitch("space 1", "space 2", via) for via in ("relative", "translate:ortho", "absolute")}

    assert figures["relative"].figures["accuracy"].mean == pytest.approx(relative, abs=0.03)
    assert figures["translate:ortho"].figures["accuracy"].mean == pytest.approx(translated, abs=0.03)
    assert found.stitch("space 1", "space 1").figures["accuracy"].mean == pytest.approx(own, abs=0.01)
    assert figures["absolute"].figures["accuracy"].mean < 0.2


def test_one_file_of_ids_may_serve_all_dumps(tmp_path, monkeypatch, capfd):
    samples = Path(__file__).parent.parent / "sample_embeddings"
    rows = np.load(samples / "digits_ae_s0.npy")
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, rows)
    monkeypatch.chdir(tmp_path)
    labels, ids = str(samples / "labels.csv"), str(samples / "digits_ae_s0.ids.txt")
    words = [
        "--labels",
        labels,
        "--split",
        labels,
        "--head",
        "ridge",
        "--anchors",
        str(samples / "anchors.txt"),
        "--json",
    ]
    code = run(["stitch", "a.npy", "b.npy", "--ids", ids, *words])

    assert code == 0
    assert json.loads(capfd.readouterr().out)["rows"]


def test_labels_or_splits_of_other_names_are_told_by_their_names():
    x = np.random.default_rng(0).standard_normal((40, 4))
    split = [f"q-{i}" for i in range(40)], ["train", "test"] * 20

    with pytest.raises(IdError, match=r"called like '\d+', its ids are like 'q-0'"):
        relcli.stitch(x, 2 * x, anchors=range(5), labels=([*map(str, range(40))], ["a", "b"] * 20), split=split)


def test_a_ceiling_that_is_passed_is_explained():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 300)
    good = rng.standard_normal((300, 6)) + 3.0 * codes[:, None]
    poor = good @ np.linalg.qr(rng.standard_normal((6, 6)))[0] + 6.0 * rng.standard_normal((300, 6))
    labels = [*map(str, range(300))], [f"c{code}" for code in codes]

    found = relcli.stitch(poor, good, anchors="uniform:60", labels=labels, head="ridge", translate="linear")

    passed = [stitch for stitch in found.stitches if stitch.stitched and (stitch.of_ceiling or 0) > 1]
    assert bool(passed) == any(note.startswith("of ceiling is by") for note in found.notes)
    assert passed
