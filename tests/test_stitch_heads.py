"""Saved heads say, bit for bit, what they said in memory; strange files are refused; stitching is gated."""

from __future__ import annotations

import csv
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score, f1_score, mean_squared_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

import relcli
from relcli.api import wanted_anchors
from relcli.cli.app import run
from relcli.engines.local import LocalEngine
from relcli.errors import AnchorError, DataError, FormatError, IdError, MissingExtraError, UsageError, VectorError
from relcli.evaluation.heads import decisions
from relcli.formats.heads import load_heads, save_heads
from relcli.reports.application import application_schema, to_csv, to_document, to_markdown, to_text
from relcli.reports.stitching import stitching_schema
from relcli.spaces.heads import TrainedHeads
from relcli.spaces.translation import fit_translation
from relcli.tasks.stitch import Labels, Options, Split, stitch
from tests.strategies import isometry

skops = pytest.importorskip("skops.io", reason="relcli[skops] is not installed")

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
N, D, DY = 330, 8, 11
IDS = np.array([f"w{i}" for i in range(N)])
ANCHORS = [f"w{i}" for i in range(0, 80, 2)]
AT = [int(name[1:]) for name in ANCHORS]
TWINS = [(name, name) for name in ANCHORS]
TEST = np.arange(N) % 3 == 0
TESTED = TEST & ~np.isin(IDS, ANCHORS)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x of four classes, y as x turned, widened and noisy, and the classes, rows in order of IDS."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, N)
    x = 1.5 * rng.standard_normal((4, D))[codes] + rng.standard_normal((N, D)) + 0.7
    y = np.pad(x, ((0, 0), (0, DY - D))) @ isometry(2, DY) + 0.2 * rng.standard_normal((N, DY))
    return x, y, codes


X, Y, CODES = world()

LABELS = {
    "strings": [f"c{code}" for code in CODES],
    "ints": CODES.tolist(),
    "bools": ["true" if code > 1 else "false" for code in CODES],
    "numbers": (X @ np.arange(D) + 3).tolist(),
}

#: Heads, scalers and kinds of labels that are saved, each loaded again in one other process.
CASES = {
    **{f"{head}-none": (head, "none", "strings") for head in ("svm", "logistic", "ridge", "mlp")},
    **{f"{head}-standard": (head, "standard", "strings") for head in ("svm", "ridge")},
    "logistic-bools": ("logistic", "none", "bools"),
    "ridge-ints": ("ridge", "none", "ints"),
    "regression": ("ridge", "none", "numbers"),
    "regression-standard": ("ridge", "standard", "numbers"),
}  # fmt: skip
VIAS = ("relative", "relative:euclidean", "translate:ortho", "translate:linear", "absolute")


def trained(head: str, scaler: str = "none", kind: str = "strings", **options: Any) -> tuple[Any, TrainedHeads]:
    """Return what stitching x and y found, and x's heads as they are in memory."""
    spaces = [relcli.open_space((IDS, rows), name=name) for name, rows in (("x", X), ("y", Y))]
    kept: list[TrainedHeads] = []
    found = stitch(
        spaces,
        wanted_anchors(ANCHORS),
        Labels(IDS, np.array([str(value) for value in LABELS[kind]]), "given"),
        Options(
            head=head,
            scaler=scaler,
            regression=kind == "numbers",
            similarity=("cosine", "euclidean"),
            translate=("ortho", "linear"),
            **options,
        ),
        split=Split(IDS, np.where(TEST, "test", "train"), "given"),
        keep=kept.append,
    )
    return found, kept[0]


def applied(heads: Any, via: str = "relative", rows: Any = None, name: str = "y", **options: Any) -> Any:
    """Return what a head makes of rows of y, or of x."""
    rows = np.arange(N) if rows is None else rows
    source = (IDS[rows], (X if name == "x" else Y)[rows])
    return relcli.stitch_apply(heads, source, via=via, **{"known": name, **options})


def values_of(found: Any) -> np.ndarray:
    return np.concatenate([batch.values for batch in found.batches])


SCRIPT = """
import sys, numpy as np, relcli
rows, ids = np.load("y.npy"), np.load("ids.npy")
for case in sys.argv[2:]:
    for via in sys.argv[1].split():
        known = "x" if via == "absolute" else "y"
        vectors = np.load("x.npy") if via == "absolute" else rows
        found = relcli.stitch_apply(f"{case}.skops", (ids, vectors), via=via, known=known, workers=2)
        values = np.concatenate([batch.values for batch in found.batches])
        labels = found.predictions.get("label", [])
        np.savez(f"{case}-{via.replace(':', '_')}.npz", values=values, labels=np.array(labels, np.str_))
"""


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory):
    """Return the heads in memory by case, and a folder where another process has left what it read from their files."""
    folder = tmp_path_factory.mktemp("heads")
    memory = {}
    for case, (head, scaler, kind) in CASES.items():
        memory[case] = trained(head, scaler, kind)
        save_heads(folder / f"{case}.skops", memory[case][1])
    for name, rows in (("x", X), ("y", Y), ("ids", IDS)):
        np.save(folder / f"{name}.npy", rows)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, " ".join(VIAS), *CASES], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return memory, folder


@pytest.mark.parametrize("case", CASES)
def test_another_process_says_the_same_bits(case, reloaded):
    memory, folder = reloaded
    for via in VIAS:
        found = applied(memory[case][1], via, name="x" if via == "absolute" else "y")
        other = np.load(folder / f"{case}-{via.replace(':', '_')}.npz")

        assert values_of(found).tobytes() == other["values"].tobytes()
        assert found.predictions.get("label", []) == other["labels"].tolist()


def plainly(case: str, via: str, heads: TrainedHeads) -> tuple[np.ndarray, np.ndarray]:
    """
    Return decision values and labels, or predicted numbers twice, by scikit-learn used plainly.

    A network's training blows up the rounding of what it sees: of it, only the prediction is done again.
    """
    head, scaler, kind = CASES[case]

    def unit(v: np.ndarray) -> np.ndarray:
        return v / np.linalg.norm(v, axis=1, keepdims=True)

    def far(v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
        return -np.linalg.norm(v[:, None] - anchors[None], axis=2)

    train, rows = X, X if via == "absolute" else Y
    if via == "relative":
        train, rows = unit(X) @ unit(X[AT]).T, unit(Y) @ unit(Y[AT]).T
    elif via == "relative:euclidean":
        train, rows = far(X, X[AT]), far(Y, Y[AT])
    elif via.startswith("translate:"):
        rows = fit_translation(Y[AT], X[AT], method=via.partition(":")[2])(Y)
    estimators = {
        "svm": LinearSVC(dual="auto", random_state=0),
        "logistic": LogisticRegression(max_iter=1000),
        "ridge": Ridge() if kind == "numbers" else RidgeClassifier(),
    }
    steps = [StandardScaler()] if scaler == "standard" else []
    with threadpool_limits(limits=1):
        if head == "mlp":
            model = heads.heads["absolute" if via.startswith("translate:") else via]
            return model.predict_proba(rows), np.array(heads.classes)[model.predict(rows)]
        model = make_pipeline(*steps, estimators[head]).fit(train[~TEST], np.array(LABELS[kind])[~TEST])
        predicted = model.predict(rows)
        if kind == "numbers":
            return predicted[:, None], predicted
        values = model.decision_function(rows) if hasattr(model, "decision_function") else model.predict_proba(rows)
    return np.column_stack([-values, values]) if values.ndim == 1 else values, predicted


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_plain_scikit_learn_predicts(case, reloaded):
    heads = reloaded[0][case][1]
    for via in VIAS:
        found = applied(heads, via, name="x" if via == "absolute" else "y")
        values, predicted = plainly(case, via, heads)

        # solvers stop at a tolerance: rounding in what they see moves where
        assert values_of(found) == pytest.approx(values, abs=2e-3 * np.abs(values).max())
        if heads.classes:
            apart = np.sort(values, axis=1)[:, -1] - np.sort(values, axis=1)[:, -2] > 1e-2
            labels = np.array(found.predictions["label"])
            assert apart.mean() > 0.9
            assert labels[apart].tolist() == [str(label) for label in predicted[apart]]


@pytest.mark.parametrize("case", CASES)
def test_applying_scores_what_stitching_scored(case, reloaded):
    found, heads = reloaded[0][case]
    labels = (IDS, LABELS[CASES[case][2]])
    for via in VIAS[:4]:
        again = applied(heads, via, labels=labels, split=(IDS, np.where(TEST, "test", "train")))
        figures = found.stitch("x", "y", via).figures

        assert again.application.rows["scored"] == TESTED.sum()
        if heads.classes:
            assert again.score("accuracy").value == figures["accuracy"].mean
            assert again.score("weighted-f1").value == figures["weighted-f1"].mean
        else:
            assert again.score("r2").value == pytest.approx(figures["r2"].mean, rel=1e-12)
            assert again.score("mse").value == pytest.approx(figures["mse"].mean, rel=1e-12)


def test_figures_are_scikit_learns(reloaded):
    heads = reloaded[0]["ridge-none"][1]
    found = applied(heads, labels=(IDS[TEST], np.array(LABELS["strings"])[TEST]))
    label = np.array(found.predictions["label"])[TESTED]
    true = np.array(LABELS["strings"])[TESTED]

    assert found.score("accuracy").value == pytest.approx(accuracy_score(true, label))
    assert found.score("weighted-f1").value == pytest.approx(f1_score(true, label, average="weighted"))
    numbers = applied(
        reloaded[0]["regression"][1],
        engine=LocalEngine(1, batch_rows=50),
        labels=(IDS[TEST], np.array(LABELS["numbers"])[TEST]),
    )
    predicted, target = np.array(numbers.predictions["prediction"])[TESTED], np.array(LABELS["numbers"])[TESTED]
    assert numbers.score("r2").value == pytest.approx(r2_score(target, predicted), rel=1e-12)
    assert numbers.score("mse").value == pytest.approx(mean_squared_error(target, predicted), rel=1e-12)


@pytest.mark.parametrize("case", ["svm-none", "logistic-bools", "ridge-standard", "mlp-none", "regression"])
@pytest.mark.slow
def test_batches_threads_and_order_do_not_show(case, reloaded):
    heads = reloaded[0][case][1]
    rng = np.random.default_rng(1)
    for via, (size, workers) in zip(VIAS[:4], ((1, 2), (7, 3), (256, 1), (300, 2)), strict=True):
        whole = values_of(applied(heads, via, engine=LocalEngine(1)))
        for _ in range(2):
            rows = rng.permutation(N)[: rng.integers(20, min(N, 60 * size))]
            some = values_of(applied(heads, via, rows, engine=LocalEngine(workers, batch_rows=size)))
            assert some.tobytes() == whole[rows].tobytes()


def test_whole_products_would_show_their_size(reloaded):
    heads = reloaded[0]["logistic-bools"][1]
    pipeline = heads.heads["absolute"]
    rows = np.random.default_rng(0).standard_normal((4000, D))
    steady = decisions(pipeline, rows)[:, 1]

    assert steady == pytest.approx(pipeline.decision_function(rows), rel=1e-9)
    assert decisions(pipeline, rows[3:10])[:, 1].tobytes() == steady[3:10].tobytes()


def test_centred_ways_are_saved_with_their_means(tmp_path):
    found, heads = trained("ridge", center=True)
    save_heads(tmp_path / "h.skops", heads)
    split = (IDS, np.where(TEST, "test", "train"))

    assert list(heads.heads) == ["absolute+center", "relative+center", "relative:euclidean+center"]
    for via in VIAS[:4]:
        again = applied(tmp_path / "h.skops", via, labels=(IDS, LABELS["strings"]), split=split)
        assert again.score("accuracy").value == found.stitch("x", "y", via).figures["accuracy"].mean
    own = applied(tmp_path / "h.skops", "absolute", name="x", labels=(IDS, LABELS["strings"]), split=split)
    assert own.score("accuracy").value == found.stitch("x", "x", "absolute").figures["accuracy"].mean
    unmet = applied(tmp_path / "h.skops", known=None)
    assert any("mean of the anchors" in note for note in unmet.application.notes)


def test_a_model_never_met_goes_through_its_own_anchors(reloaded):
    heads = reloaded[0]["ridge-none"][1]
    third = X @ isometry(7, D)
    renamed = [f"z{name}" for name in IDS]
    pairs = [(name, f"z{name}") for name in reversed(ANCHORS)]
    labels = (renamed, LABELS["strings"])
    found = relcli.stitch_apply(heads, (renamed, third), anchors=pairs, labels=labels)

    assert found.application.anchors["source"] == "found in the dump"
    assert found.application.rows["scored"] == N - len(ANCHORS)
    assert any("40 anchors were not scored" in note for note in found.application.notes)
    assert found.predictions["label"] == applied(heads, name="x").predictions["label"]
    assert relcli.stitch_apply(heads, (IDS, third)).predictions["label"] == found.predictions["label"]
    carried = relcli.stitch_apply(heads, (IDS, third), via="translate:ortho")
    assert carried.predictions["label"] == applied(heads, "absolute", name="x").predictions["label"]


def test_bad_rows_are_refused_or_left_out(reloaded):
    heads = reloaded[0]["ridge-none"][1]
    rows = Y.copy()
    rows[100], rows[101] = np.nan, 0

    with pytest.raises(VectorError, match=r"'w100', 'w101'.*--on-bad drop"):
        relcli.stitch_apply(heads, (IDS, rows), known="y")
    found = relcli.stitch_apply(heads, (IDS, rows), known="y", on_bad="drop")
    assert found.application.rows["predicted"] == N - 2
    assert "w100" not in found.predictions["id"]
    assert len(found.predictions["id"]) == N - 2
    rows[AT[3]] = np.nan
    with pytest.raises(AnchorError, match=r"1 of the head's 40 anchors .* 'w6'.* mend .* pass --known NAME \(x, y\)"):
        relcli.stitch_apply(heads, (IDS, rows), on_bad="drop")


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"via": "relative:cosin"}, UsageError, "Did you mean 'cosine'"),
        ({"via": "relative:l1"}, UsageError, "names no head of this file: there are absolute, relative"),
        ({"via": "translate:orto"}, UsageError, "Did you mean 'ortho'"),
        ({"via": "absolute"}, VectorError, "absolute takes 8 dimensions, x has 11. Use --via relative"),
        ({"known": "z"}, UsageError, "--known 'z' is none of x, y"),
        ({"known": "x"}, VectorError, "x has 8 dimensions, and x 11: another model"),
        ({"anchors": "uniform:30"}, UsageError, "has its anchors already"),
        ({"anchors": [("w0", "w0"), ("w2", "w2")]}, AnchorError, "38 of the head's 40 anchors are not among them"),
        ({"anchors": [("w0", "w0")], "known": "y"}, UsageError, "Drop one"),
        ({"anchors": [*TWINS, ("w0", "w9")]}, AnchorError, "pairs 1 anchors of the head more than once: 'w0'"),
        ({"anchors": [("w0", "w2"), *TWINS[1:]]}, AnchorError, "pairs 1 anchors of the dump more than once: 'w2'"),
        ({"labels": (IDS, ["a"] * N)}, DataError, "All 290 labels .* 'a': it knows 'c0'"),
        ({"labels": (["q"], ["c1"])}, IdError, "None of the 330 rows .* Make the ids match"),
        ({"labels": ([], [])}, IdError, "holds no rows"),
        ({"labels": (["w1", "w1"], ["c1", "c2"])}, IdError, "more than one label: 'w1'"),
        ({"labels": (["w1"], ["c1"]), "missing_labels": "error"}, IdError, "289 of 290 rows have no label"),
        ({"split": (IDS, ["test"] * N)}, UsageError, "add --labels FILE"),
        ({"on_bad": "dropp"}, UsageError, "Did you mean 'drop'"),
    ],
)
def test_what_cannot_be_applied_is_explained(options, kind, words, reloaded):
    with pytest.raises(kind, match=words):
        relcli.stitch_apply(reloaded[0]["ridge-none"][1], (IDS, Y), **options)


def test_dumps_without_the_anchors_are_explained(reloaded):
    heads = reloaded[0]["ridge-none"][1]
    with pytest.raises(AnchorError, match=r"37 of the head's 40 anchors are not in x \('w6', .*--known"):
        relcli.stitch_apply(heads, (IDS[:5], Y[:5]))
    with pytest.raises(AnchorError, match="has no ids"):
        relcli.stitch_apply(heads, Y)
    assert len(relcli.stitch_apply(heads, Y[100:], known="y").predictions["id"]) == N - 100


def test_classes_that_the_head_never_learnt_are_told(reloaded):
    labels = [*LABELS["strings"][:-1], "other"]
    found = applied(reloaded[0]["ridge-none"][1], labels=(IDS, labels))

    assert any("1 rows are of 1 classes that the head does not know" in note for note in found.application.notes)
    assert found.application.rows["scored"] == N - len(ANCHORS)


def test_reconstructions_are_predicted_and_not_scored_by_labels(tmp_path):
    relcli.stitch((IDS, X), (IDS, Y), anchors=ANCHORS, targets=(IDS, np.tanh(X[:, :3])), save_head=tmp_path / "h.skops")
    found = applied(tmp_path / "h.skops", known="space 2")

    assert list(found.predictions) == ["id", "prediction", "prediction_2", "prediction_3"]
    with pytest.raises(UsageError, match="predicts 3 numbers a row"):
        applied(tmp_path / "h.skops", known="space 2", labels=(IDS, LABELS["numbers"]))


def saved(path: Path, **options: Any) -> Any:
    given = {"anchors": ANCHORS, "labels": (IDS, LABELS["strings"]), "head": "ridge", "save_head": path, **options}
    return relcli.stitch((IDS, X), (IDS, Y), **given)


def test_the_named_source_and_the_first_seed_are_saved(tmp_path):
    found = saved(tmp_path / "h.skops", save_source="space 2", seeds=2, seed=4)
    heads = load_heads(tmp_path / "h.skops")

    assert heads.source == "space 2"
    assert heads.about["seed"] == 4
    assert any("heads are those of seed 4, the first of 2" in note for note in found.notes)
    assert heads.about["anchors"]["sha256"] == found.anchors["sha256"]
    assert heads.about["train"]["rows"] == found.rows["train"]


def test_the_file_tells_how_it_was_made_without_being_loaded(tmp_path):
    saved(tmp_path / "h.skops")
    with zipfile.ZipFile(tmp_path / "h.skops") as archive:
        names, about = archive.namelist(), json.loads(archive.read("relcli.json"))

    assert "schema.json" in names
    assert about["ways"] == ["absolute", "relative"]
    assert about["classes"] == ["c0", "c1", "c2", "c3"]
    assert about["versions"]["scikit-learn"]
    assert len(about["labels"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"save_head": "head.pkl"}, "Call it head.skops"),
        ({"save_head": None, "save_source": "space 1"}, "give --save-head FILE"),
        ({"save_source": "space 3"}, "is none of space 1, space 2. Did you mean 'space"),
        ({"transductive": True, "scaler": "standard"}, "or do not save"),
    ],
)
def test_what_cannot_be_saved_is_explained(options, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        saved(tmp_path / "h.skops", **options)
    assert not list(tmp_path.iterdir())


def test_skops_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(MissingExtraError, match=r"relcli\[skops\]"):
        saved(tmp_path / "h.skops")


class Trap:
    def __reduce__(self):
        return (print, ("it ran",))


def rewritten(path: Path, **changes: Any) -> None:
    """Write the archive again with other values in relcli.json."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = {**json.loads(members["relcli.json"]), **changes}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, json.dumps(about) if name == "relcli.json" else content)


def test_files_that_are_none_of_ours_are_refused(tmp_path, capfd):
    path = tmp_path / "h.skops"

    def refused(kind: type[Exception], words: str) -> None:
        with pytest.raises(kind, match=words):
            load_heads(path)

    path.write_bytes(pickle.dumps(Trap()))
    refused(FormatError, "is a pickle, which could run any code when it is opened: it was not")
    path.write_bytes(b"nothing")
    refused(FormatError, "is no .skops archive")
    skops.dump({"heads": {}}, path)
    refused(FormatError, "archive without relcli.json: relcli did not write it")
    saved(path)
    whole = path.read_bytes()
    rewritten(path, schema_version="2.0")
    refused(UsageError, "heads of schema 2.0, and this relcli reads 1.x")
    rewritten(path, schema_version="1.7", new="key")
    assert load_heads(path).about["new"] == "key"
    rewritten(path, source="elsewhere")
    refused(FormatError, "do not fit what it says")
    rewritten(path, kind="other")
    refused(FormatError, "does not say that it holds heads")
    path.write_bytes(whole[: len(whole) // 2])
    refused(FormatError, "is no .skops archive")
    with pytest.raises(FormatError, match=r"Did you mean 'h\.skops'"):
        load_heads(tmp_path / "hh.skops")

    assert "it ran" not in capfd.readouterr().out


def edited(reloaded: Any, case: str, path: Path, edit: Any) -> Path:
    """Write a case's file again with other values, and what relcli.json says as it was."""
    kept = reloaded[1] / f"{case}.skops"
    values = skops.load(kept, trusted=[])
    edit(values)
    skops.dump(values, path)
    with zipfile.ZipFile(kept) as old, zipfile.ZipFile(path, "a") as archive:
        archive.writestr("relcli.json", old.read("relcli.json"))
    return path


def learnt(name: str, change: Any, step: int = -1) -> Any:
    """Return an edit of what a step of the relative head has learnt."""

    def edit(values: Any) -> None:
        held = vars(values["heads"]["relative"][step])
        held[name] = change(held[name])

    return edit


def fewer_classes(binarizer: Any) -> Any:
    binarizer.classes_ = binarizer.classes_[:2]
    return binarizer


@pytest.mark.parametrize(
    ("case", "edit", "words"),
    [
        ("ridge-none", lambda values: None, ""),
        ("ridge-none", learnt("coef_", lambda held: held[:2]), "'relative' cannot be used"),
        ("ridge-none", learnt("coef_", lambda held: held[:, :9]), "'relative' cannot be used"),
        ("ridge-none", learnt("coef_", lambda held: held.astype(str)), "coef_ holds what is no finite number"),
        ("svm-none", learnt("coef_", lambda held: held * np.nan), "coef_ holds what is no finite number"),
        ("svm-none", learnt("intercept_", lambda held: held[:2]), "intercept_ holds 2 numbers for 4"),
        ("logistic-bools", learnt("classes_", lambda held: held[:1]), "not among the 2 that are named"),
        ("svm-none", learnt("coef_", lambda held: held * 0 + 1e308), "gives what is no finite number"),
        ("svm-none", learnt("classes_", lambda held: held + 1), "not among the 4 that are named"),
        ("svm-none", learnt("classes_", lambda held: held[:2]), "intercept_ holds 4 numbers for 1"),
        ("ridge-none", learnt("_label_binarizer", fewer_classes), "knows other classes|intercept_ holds 4"),
        ("ridge-none", learnt("n_features_in_", lambda held: 39), "takes other than 40 numbers a row"),
        ("mlp-none", learnt("coefs_", lambda held: [held[0], held[1].T]), "'relative' cannot be used"),
        ("mlp-none", learnt("intercepts_", lambda held: [held[0], held[1] + np.inf]), "no finite number"),
        ("svm-standard", learnt("scale_", lambda held: held * 0, 0), "'relative' cannot be used"),
        ("svm-standard", learnt("mean_", lambda held: held[:5], 0), "'relative' cannot be used"),
        ("regression", learnt("coef_", lambda held: np.zeros((2, 40))), "'relative' cannot be used|2 numbers"),
        ("ridge-none", lambda values: values["anchors"][0].fill(0), "anchors of x are zero or not finite"),
        ("ridge-none", lambda values: values["anchor_ids"].fill("w0"), "two or more different texts"),
    ],
)
def test_learnt_values_that_do_not_fit_are_refused(case, edit, words, reloaded, tmp_path):
    path = edited(reloaded, case, tmp_path / "h.skops", edit)
    if not words:
        assert values_of(applied(path)).tobytes() == values_of(applied(reloaded[0][case][1])).tobytes()
        return
    with pytest.raises(FormatError, match=f"do not fit what it says of them: .*({words})"):
        load_heads(path)


@pytest.mark.parametrize(
    ("case", "key", "value", "words"),
    [
        ("ridge-none", "classes", [], "it tells classes, and none are named"),
        ("ridge-none", "classes", {}, "'classes' in relcli.json is no list of different texts: {}"),
        ("ridge-none", "classes", "zzz", "'classes' in relcli.json is no list"),
        ("ridge-none", "classes", [1, 2, 3, 4], "'classes' in relcli.json is no list"),
        ("ridge-none", "classes", ["c0", "c1", "c1", "c3"], "'classes' in relcli.json is no list of different"),
        ("ridge-none", "classes", ["c0", "c1", "c2", "\ud800"], "'classes' in relcli.json is no list"),
        ("ridge-none", "classes", ["c0", "c1", "c2"], "not among the 3 that are named"),
        ("regression", "classes", ["c0", "c1"], "the head 'absolute' cannot be used"),
        ("regression", "dim", 2, "intercept_ holds 1 numbers for 2"),
        ("regression", "dim", True, "'dim' in relcli.json is no whole number"),
        ("ridge-none", "versions", None, "'versions' in relcli.json is no object of texts: null"),
        ("ridge-none", "versions", [], "'versions' in relcli.json"),
        ("ridge-none", "versions", "1.9", "'versions' in relcli.json"),
        ("ridge-none", "seed", {}, "'seed' in relcli.json is no whole number: {}"),
        ("ridge-none", "head", 5, "'head' in relcli.json is no text: 5"),
        ("ridge-none", "ways", ["absolute", "absolute"], "'ways' in relcli.json"),
        ("ridge-none", "scaling", "wide", "'scaling' in relcli.json is no one of global"),
        ("ridge-none", "spaces", [{"name": "x", "dim": 8}], "'spaces' in relcli.json is no list of spaces"),
        ("ridge-none", "train", {"rows": float("nan"), "sha256": None}, "'train' in relcli.json"),
    ],
)
def test_every_key_says_what_it_may(case, key, value, words, reloaded, tmp_path, call):
    path = tmp_path / "h.skops"
    path.write_bytes((reloaded[1] / f"{case}.skops").read_bytes())
    rewritten(path, **{key: value})
    with pytest.raises(FormatError, match=f"do not fit what it says of them: .*{words}"):
        load_heads(path)
    assert "Traceback" not in call("stitch", "apply", path, "digits_ae_s0.npy", code=2)[1]


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("relcli.json", 65 << 20, "would unpack to 68,.* it was not unpacked"),
        ("big.npy", 80 << 20, "would unpack to 8.* it was not unpacked"),
        ("notes.txt", 10, "holds 'notes.txt', which no file of heads does"),
    ],
)
def test_archives_that_unpack_to_too_much_are_not_unpacked(name, size, words, reloaded, tmp_path):
    path = tmp_path / "h.skops"
    kept = zipfile.ZipFile(reloaded[1] / "ridge-none.skops")
    with kept, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in set(kept.namelist()) - {name}:
            archive.writestr(member, kept.read(member))
        with archive.open(name, "w", force_zip64=True) as file:
            for _ in range(max(1, size >> 20)):
                file.write(b" " * min(size, 1 << 20))
    with pytest.raises(FormatError, match=words):
        load_heads(path)


@pytest.mark.parametrize("planted", ["types", "heads"])
def test_types_that_relcli_does_not_write_are_refused(planted, tmp_path):
    path = tmp_path / "h.skops"
    saved(path)
    with zipfile.ZipFile(path) as archive:
        about = archive.read("relcli.json")
    from sklearn.decomposition import PCA

    values = {
        "heads": {"absolute": make_pipeline(PCA()), "relative": make_pipeline(PCA())},
        "anchor_ids": np.array(ANCHORS),
        "anchors": [X[AT], Y[AT]],
        "means": [X[0], Y[0]],
    }
    skops.dump({**values, "odd": Trap()} if planted == "types" else values, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("relcli.json", about)

    words = "types that relcli does not trust.*Trap" if planted == "types" else "holds PCA, no head of stitch"
    with pytest.raises(FormatError, match=words):
        load_heads(path)


# -- the commands ------------------------------------------------------------------------------------------


ASK = ["digits_ae_s0.npy", "digits_ae_s1.parquet", "--anchors", "anchors.txt", "--labels", "labels.csv"]
ASK += ["--split", "labels.csv", "--head", "ridge"]


@pytest.fixture
def call(monkeypatch, capfd):
    """Return what runs a command among the samples, checks its exit code, and gives stdout and stderr."""
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("COLUMNS", "100")

    def called(*words: Any, code: int = 0) -> tuple[str, str]:
        capfd.readouterr()
        got = run([str(word) for word in words])
        out, err = capfd.readouterr()
        assert got == code, err
        return out, err

    return called


def test_the_commands_save_and_apply(call, tmp_path):
    head = tmp_path / "head.skops"
    out, _ = call("stitch", *ASK, "--save-head", head, "--json")
    stitches = {(s["source"], s["target"], s["via"]): s for s in json.loads(out)["stitches"]}
    apply = ["stitch", "apply", head, "digits_ae_s1.parquet", "--labels", "labels.csv", "--split", "labels.csv"]
    for via in ("relative", "translate:ortho", "absolute"):
        document = json.loads(call(*apply, "--via", via, "--json")[0])
        scores = {score["measure"]: score["value"] for score in document["scores"]}
        figures = stitches["digits_ae_s0", "digits_ae_s1", via]["figures"]

        jsonschema.Draft202012Validator(application_schema()).validate(document)
        assert scores["accuracy"] == figures["accuracy"]["mean"]
        assert document["anchors"]["source"].startswith("none" if via == "absolute" else "of digits_ae_s1")

    files = [tmp_path / f"found.{suffix}" for suffix in ("parquet", "csv", "jsonl")]
    out, _ = call(*apply, *(word for file in (*files, tmp_path / "found.md") for word in ("-o", file)))
    table = pq.read_table(files[0]).to_pydict()
    rows = list(csv.DictReader(files[1].open()))
    lines = [json.loads(line) for line in files[2].read_text().splitlines()]
    assert "accuracy" in out
    assert "accuracy" in (tmp_path / "found.md").read_text()
    assert list(table) == ["id", "label", "score", "margin"]
    assert len(table["id"]) == 1797
    assert [line["margin"] for line in lines] == table["margin"]
    assert [float(row["score"]) for row in rows] == table["score"]
    assert [row["label"] for row in rows] == table["label"]


def test_both_helps_are_there_and_a_file_may_be_called_apply(call, tmp_path, monkeypatch):
    assert "stitch [OPTIONS] X Y…" in " ".join(call("stitch", "--help")[0].replace("{", "").replace("}", "").split())
    assert "stitch apply [OPTIONS] HEAD Y" in " ".join(
        call("stitch", "apply", "--help")[0].replace("{", "").replace("}", "").split()
    )
    assert "stitch apply" in call("--help")[0]
    _, err = call("stitch", "apply", code=2)
    assert "stitch apply --help" in err
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "apply.npy", np.load(SAMPLES / "digits_ae_s0.npy"))
    (tmp_path / "apply.npy").rename(tmp_path / "apply")
    words = [str(SAMPLES / word) if (SAMPLES / word).exists() else word for word in ASK[1:]]
    ids = SAMPLES / "digits_ae_s0.ids.txt"
    out, _ = call("stitch", "./apply", *words, "--ids", ids, "--json")
    assert json.loads(out)["spaces"][0]["name"] == "apply"


def test_stitching_is_gated_by_its_worst_pair(call, tmp_path):
    report = tmp_path / "found.md"
    words = ["--check", "relative.accuracy>=0.8", "--check", "accuracy>=0.8"]
    words += ["--check", "warn:relative.of-ceiling>=0.9", "--fail-under", "translate:ortho.weighted-f1=0.5"]
    words += ["--check", "relative.accuracy[pair=digits_ae_s0->digits_ae_s1]>=0.82"]
    document = json.loads(call("stitch", *ASK, *words, "-o", report, "--json")[0])
    checks = {check["requirement"]: check for check in document["checks"]}
    accuracies = {
        (s["source"], s["target"]): s["figures"]["accuracy"]["mean"]
        for s in document["stitches"]
        if s["stitched"] and s["via"] == "relative"
    }
    worst = min(accuracies, key=lambda pair: accuracies[pair])

    jsonschema.Draft202012Validator(stitching_schema()).validate(document)
    assert checks["relative.accuracy>=0.8"]["value"] == checks["accuracy>=0.8"]["value"] == accuracies[worst]
    assert checks["relative.accuracy>=0.8"]["reason"] == f"pair {worst[0]}->{worst[1]}"
    assert not checks["warn:relative.of-ceiling>=0.9"]["passed"]
    assert checks["relative.accuracy[pair=digits_ae_s0->digits_ae_s1]>=0.82"]["passed"]
    assert "✓ relative.accuracy" in report.read_text()

    out, err = call("stitch", *ASK, "--check", "absolute.accuracy>=0.5", "--json", code=1)
    assert json.loads(out)["checks"][0]["passed"] is False
    assert "✗ absolute.accuracy>=0.5" in err
    out, _ = call("stitch", *ASK, "--check", "relative.accuracy<0.82", code=1)
    assert "pair digits_ae_s0->digits_ae_s1" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--check", "relative.accuray>0.1"], "Did you mean 'accuracy'"),
        (["--fail-under", "mse=1"], "Use --fail-over"),
        (["--check", "relativ.accuracy>0.1"], "Did you mean 'relative'"),
        (["--similarity", "cosine", "--similarity", "euclidean", "--check", "accuracy>0.1"], "say which"),
        (["--check", "relative.accuracy[model=a]>0.1"], "no groups by 'model'"),
    ],
)
def test_requirements_that_name_nothing_are_refused(words, said, call):
    assert said in call("stitch", *ASK, *words, code=2)[1]


def test_a_pair_without_figures_fails_its_check(call):
    words = ["digits_ae_s0.npy", "digits_conv.safetensors", *ASK[2:], "--check", "absolute.accuracy>0"]
    _, err = call("stitch", *words, "--json", code=1)

    assert "undefined: absolute: digits_ae_s0 has 32 dimensions" in err


def test_applying_is_gated_by_labels(call, tmp_path):
    head = tmp_path / "head.skops"
    call("stitch", *ASK, "--save-head", head, "-q")
    apply = ["stitch", "apply", head, "digits_conv.safetensors"]

    assert "add --labels FILE" in call(*apply, "--check", "accuracy>0.5", code=2)[1]
    call(*apply, "--labels", "labels.csv", "--check", "accuracy>0.5", "--via", "translate:ortho")
    files = ["-o", tmp_path / "found.parquet"]
    call(*apply, "--labels", "labels.csv", "--fail-under", "accuracy=0.999", *files, code=1)
    assert (tmp_path / "found.parquet").exists()
    assert (
        "is to be read"
        in call(*apply, "-o", tmp_path / "x.csv", "-o", "labels.csv", "--labels", "labels.csv", code=2)[1]
    )


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["stitch", *ASK, "--save-head", "anchors.txt"], "--save-head"),
        (["match", *ASK[:4], "--pairs-out", "anchors.txt"], "--pairs-out"),
        (["match", *ASK[:4], "-o", "anchors.txt"], "-o"),
    ],
)
def test_a_file_to_read_is_written_by_no_flag(words, flag, call):
    before = (SAMPLES / "anchors.txt").read_bytes()
    assert f"is to be read, so nothing can be written there. Give {flag} another name" in " ".join(
        call(*words, code=2)[1].split()
    )
    assert (SAMPLES / "anchors.txt").read_bytes() == before


def test_matching_is_gated(call):
    ask = ["match", *ASK[:4], "--queries", "60", "--json"]
    out, _ = call(*ask, "--check", "relative.matching-accuracy>=0.1", "--fail-over", "relative.recall@1=1.0", code=2)
    assert out == ""
    out, _ = call(*ask, "--check", "relative.matching-accuracy>=0.1", "--check", "translate:ortho.recall@5>0.2")
    assert [check["passed"] for check in json.loads(out)["checks"]] == [True, True]
    assert "✗ relative.matching-accuracy>1" in call(*ask, "--check", "relative.matching-accuracy>1", code=1)[1]
    assert "say which" in call(*ask, "--check", "matching-accuracy>=0.1", code=2)[1]


@pytest.mark.parametrize(
    ("table", "words", "said"),
    [
        (lambda i: "a", [], "All 1,797 rows have one label, 'a'"),
        (lambda i: "a" if i % 5 else "", [], "of 1,797 rows have no label in given.csv"),
        (lambda i: str(i), [], "1,797 different labels for 1,797 rows"),
        (lambda i: "nan" if i == 7 else str(i / 7), ["--regression"], "1 targets of given.csv are no finite numbers"),
        (lambda i: "cat" if i == 7 else str(i / 7), ["--regression"], "the target 'cat', which is no number"),
    ],
)
def test_labels_that_teach_nothing_are_explained_by_the_command(table, words, said, call, tmp_path, monkeypatch):
    ids = (SAMPLES / "digits_ae_s0.ids.txt").read_text().split()
    ask = [str(SAMPLES / word) if (SAMPLES / word).exists() else word for word in ASK[:4]]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.csv").write_text("id,label\n" + "".join(f"{name},{table(i)}\n" for i, name in enumerate(ids)))
    _, err = call("stitch", *ask, "--labels", "given.csv", *([] if words else ["--head", "ridge"]), *words, code=2)

    assert said in err


@pytest.mark.parametrize(
    "table",
    [lambda i: str(i % 3), lambda i: "true" if i % 2 else "false", lambda i: f"class {i % 4}"],
    ids=["ints", "bools", "strings"],
)
def test_labels_of_every_kind_come_back_as_they_were(table, call, tmp_path, monkeypatch):
    ids = (SAMPLES / "digits_ae_s0.ids.txt").read_text().split()
    ask = [str(SAMPLES / word) if (SAMPLES / word).exists() else word for word in ASK[:4]]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.csv").write_text("id,label\n" + "".join(f"{name},{table(i)}\n" for i, name in enumerate(ids)))
    call("stitch", *ask, "--labels", "given.csv", "--head", "ridge", "--save-head", "h.skops", "-q")
    out, _ = call("stitch", "apply", "h.skops", ask[1], "-o", "found.csv", "--json")

    rows = csv.DictReader(Path("found.csv").read_text().splitlines())
    assert {row["label"] for row in rows} <= {table(i) for i in range(12)}
    assert json.loads(out)["head"]["classes"] == sorted({table(i) for i in range(12)})


def test_one_class_on_either_side_of_the_split_is_told_by_the_command(call, tmp_path, monkeypatch):
    ids = (SAMPLES / "digits_ae_s0.ids.txt").read_text().split()
    ask = [str(SAMPLES / word) if (SAMPLES / word).exists() else word for word in ASK[:4]]
    monkeypatch.chdir(tmp_path)

    def asked(label: Any, code: int) -> tuple[str, str]:
        lines = [f"{name},{label(i)},{'test' if i % 4 == 0 else 'train'}\n" for i, name in enumerate(ids)]
        (tmp_path / "given.csv").write_text("id,label,split\n" + "".join(lines))
        words = ["--labels", "given.csv", "--split", "given.csv", "--head", "ridge", "--json"]
        return call("stitch", *ask, *words, code=code)

    assert "train rows have one label, 'b'" in asked(lambda i: "a" if i % 4 == 0 else "b", 2)[1]
    notes = json.loads(asked(lambda i: "a" if i % 4 == 0 else "b" if i % 2 else "c", 0)[0])["notes"]
    assert any("1 classes have no train rows" in note for note in notes)
    assert any("2 classes have no test rows" in note for note in notes)


def test_documents_of_an_application_hold_the_same_figures(reloaded):
    found = applied(reloaded[0]["ridge-none"][1], labels=(IDS, LABELS["strings"])).application
    rows = list(csv.DictReader(to_csv(found).splitlines()))
    document = to_document(found)

    assert float(rows[0]["value"]) == document["scores"][0]["value"]
    assert "| accuracy |" in to_markdown(found)
    assert max(map(len, to_text(found, per_class=True).splitlines())) <= 80
    assert run(["schema", "stitch-apply"]) == 0
