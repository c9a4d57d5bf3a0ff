"""relcli translate: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import save_file

import relcli
from relcli.arrays import unit_rows
from relcli.cli.app import run
from relcli.formats.format import open_space
from relcli.formats.maps import load_map
from relcli.reports.schema import report_schema
from relcli.spaces.pairing import PairedSpaces
from relcli.spaces.translation import fit_translation
from tests.strategies import isometry

N, DX, DY, ANCHORS = 200, 12, 16, 60
RNG = np.random.default_rng(2)
IDS = [f"doc-{i}" for i in range(N)]
X = RNG.standard_normal((N, DX)) * np.linspace(1, 3, DX) + 1
Y = 3 * np.pad(X, ((0, 0), (0, DY - DX))) @ isometry(6, DY) + 4 + 0.2 * RNG.standard_normal((N, DY))
METHODS = ("ortho", "linear", "l-ortho", "affine", "ridge", "inverse-relative")
FIT = ["translate", "fit", "x.npy", "y.npy", "--anchors", "anchors.txt", "-o", "map.safetensors"]
APPLY = ["translate", "apply", "map.safetensors", "x.npy", "-o", "y_like.npy"]


def dump(name: str, vectors: np.ndarray, ids=IDS) -> None:
    np.save(name, vectors)
    Path(name).with_suffix(".ids.txt").write_text("".join(f"{i}\n" for i in ids), encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Have x.npy, y.npy in another order, and anchors.txt in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    dump("x.npy", X)
    order = RNG.permutation(N)
    dump("y.npy", Y[order], [IDS[i] for i in order])
    Path("anchors.txt").write_text("".join(f"{i}\n" for i in IDS[:ANCHORS]))
    return tmp_path


@pytest.fixture
def call(capfd):
    """Return a function that runs relcli and gives stdout and stderr."""

    def called(*arguments: str, code: int = 0) -> tuple[str, str]:
        found = run(arguments)
        out, err = capfd.readouterr()

        assert found == code, err
        return out, err

    return called


def scores(document: dict) -> dict[str, float]:
    return {score["measure"]: score["value"] for score in document["scores"]}


@pytest.mark.parametrize("method", METHODS)
def test_the_figures_are_those_of_the_map_on_the_held_out_rows(method, call):
    document = json.loads(call(*FIT, "--method", method, "--json")[0])
    found = load_map("map.safetensors").translation(X)
    jsonschema.validate(document, report_schema())

    y, fitted = Y[ANCHORS:] - Y[ANCHORS:].mean(axis=0), found[ANCHORS:] - Y[ANCHORS:].mean(axis=0)
    cosines = np.sum(y * fitted, axis=1) / np.linalg.norm(y, axis=1) / np.linalg.norm(fitted, axis=1)
    anchors = Y[:ANCHORS] - Y[:ANCHORS].mean(axis=0)
    assert scores(document) == pytest.approx(
        {
            "heldout-residual": np.sum((y - fitted) ** 2) / np.sum(y**2),
            "heldout-cosine": cosines.mean(),
            "anchor-residual": np.sum((Y[:ANCHORS] - found[:ANCHORS]) ** 2) / np.sum(anchors**2),
        },
        rel=1e-9,
    )
    assert document["settings"]["method"] == method


def test_the_residual_is_compares(call):
    document = json.loads(call(*FIT, "--json")[0])
    report = relcli.compare("x.npy", "y.npy", "anchors.txt", views="absolute")

    assert scores(document)["heldout-residual"] == pytest.approx(
        report.score("heldout-procrustes-residual", "absolute").value, rel=1e-9
    )
    assert scores(document)["heldout-cosine"] == pytest.approx(
        report.score("heldout-aligned-cosine", "absolute").value, rel=1e-9
    )


def test_the_table_tells_figures_and_warnings(call):
    table, err = call(*FIT, "--method", "linear", "--scaling", "standard")

    assert err == ""
    for told in (
        "heldout-residual",
        "heldout-cosine",
        "anchor-residual",
        "linear map of 12 to 16 dimensions, standard",
    ):
        assert told in table


@pytest.mark.parametrize("method", METHODS)
def test_few_anchors_are_warned_of(method, call):
    Path("anchors.txt").write_text("".join(f"{i}\n" for i in IDS[:DX]))
    notes = " ".join(json.loads(call(*FIT, "--method", method, "--json")[0])["notes"])

    assert "12 anchors for" in notes
    assert ("explodes near as many anchors as dimensions (12 for 12)" in notes) == (
        method in ("linear", "affine", "l-ortho")
    )


def test_enough_anchors_are_not(call):
    notes = json.loads(call(*FIT, "--method", "linear", "--json")[0])["notes"]

    assert notes == ["linear map of 12 to 16 dimensions, global scaling"]


@pytest.mark.parametrize("name", ["y_like.npy", "y_like.parquet", "y_like.safetensors"])
def test_what_is_applied_is_what_the_map_gives(name, call):
    call(*FIT)
    out, err = call("translate", "apply", "map.safetensors", "x.npy", "-o", name, "--dtype", "float64")
    space = open_space(name)

    assert (out, err) == ("", f"{name}: 200 × 16 float64\n")
    assert space.ids.tolist() == IDS
    np.testing.assert_allclose(space.read(slice(None)), load_map("map.safetensors").translation(X), rtol=1e-12)


def test_a_translated_dump_says_where_it_comes_from(call):
    call(*FIT, "--method", "ridge")
    call("translate", "apply", "map.safetensors", "x.npy", "-o", "y_like.parquet")
    made = open_space("y_like.parquet").origin.provenance
    saved = load_map("map.safetensors").provenance

    assert (made["kind"], made["method"], made["source"]["name"]) == ("translated", "ridge", "x")
    assert made["map"] | {"sha256": ""} == saved | {"sha256": ""}
    assert (saved["source"], saved["target"], saved["anchors_count"]) == ("x", "y", "60")
    assert len(saved["anchors_sha256"]) == len(saved["source_sha256"]) == 64


def test_a_translated_dump_compares_with_its_target(call):
    call(*FIT)
    call("translate", "apply", "map.safetensors", "x.npy", "-o", "y_like.parquet")
    report = relcli.compare("y_like.parquet", "y.npy", "anchors.txt", measures=["recall@1"], views="absolute")

    assert report.score("recall@1", "absolute").value == 1


def test_the_same_command_writes_the_same_bytes(call):
    written = []
    for _ in range(2):
        call(*FIT, "--method", "l-ortho")
        call(*APPLY)
        written.append((Path("map.safetensors").read_bytes(), Path("y_like.npy").read_bytes()))

    assert written[0] == written[1]


def test_python_gives_the_same_as_the_command(call):
    call(*FIT, "--method", "affine")
    fitted = relcli.translate_fit("x.npy", "y.npy", "anchors.txt", method="affine")
    moved = relcli.translate_apply(fitted, (IDS, X))

    assert fitted.translation.matrix.tobytes() == load_map("map.safetensors").translation.matrix.tobytes()
    np.testing.assert_array_equal(moved.read(slice(None)), fitted.translation(X))


def test_rows_without_numbers_may_be_left_out(call):
    call(*FIT)
    bad = X.copy()
    bad[3, 1] = np.nan
    bad[5] = 0
    dump("bad.npy", bad)
    told = call("translate", "apply", "map.safetensors", "bad.npy", "-o", "y_like.npy", code=2)[1]
    call("translate", "apply", "map.safetensors", "bad.npy", "-o", "y_like.npy", "--on-bad", "drop")

    assert "1 NaN ('doc-3')" in told
    assert open_space("y_like.npy").ids.tolist() == IDS[:3] + IDS[4:]


def test_all_rows_may_be_anchors(call):
    Path("anchors.txt").write_text("".join(f"{i}\n" for i in IDS))
    document = json.loads(call(*FIT, "--json")[0])

    assert [score["value"] is None for score in document["scores"]] == [True, True, False]
    assert "nothing is held out" in document["scores"][0]["undefined_because"]


def test_anchors_may_be_chosen_by_any_strategy(call):
    for choice in ("farthest:40", "kmeans:40", "first:40"):
        fit = [choice if part == "anchors.txt" else part for part in FIT]
        assert json.loads(call(*fit, "--json")[0])["anchors"]["strategy"] == choice.partition(":")[0]


# --- refused ---


def refused(call, *arguments: str, keep: tuple[str, ...] = ()) -> str:
    """Return what stderr says of a command that could not answer and wrote nothing."""
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    out, err = call(*arguments, code=2)

    assert out == ""
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before
    assert err.startswith("relcli: ")
    return err


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (["--method", "orto"], "Did you mean 'ortho'"),
        (["--scaling", "globl"], "Did you mean 'global'"),
        (["--prune", "20"], "--prune goes with --method inverse-relative"),
        (["--method", "inverse-relative", "--prune", "61"], "no number from 2 to 60"),
        (["--on-bad", "keep"], "none of error, drop"),
        (["--seed", "-1"], "--seed -1 is negative"),
        (["-o", "map.npz"], "map.safetensors"),
        (["-o", "nowhere/map.safetensors"], "cannot be written"),
        (["-o", "x.npy"], "is to be read"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(how, told, call):
    assert told in refused(call, *FIT, *how)


def test_a_wrong_width_is_refused(call):
    call(*FIT)

    assert "this map takes 12 dimensions, y has 16" in refused(
        call, "translate", "apply", "map.safetensors", "y.npy", "-o", "y_like.npy"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["map.safetensors", "x.npy", "-o", "y_like.csv"], "y_like.csv"),
        (["map.safetensors", "x.npy", "-o", "x.npy"], "is to be read"),
        (["map.safetensors", "x.npy", "-o", "map.safetensors"], "is to be read"),
        (["map.safetensors", "x.npy", "-o", "y_like.npy", "--dtype", "int8"], "int8"),
        (["dump.safetensors", "x.npy", "-o", "y_like.npy"], "no map: it holds 'vectors'"),
        (["x.npy", "x.npy", "-o", "y_like.npy"], "cannot be read as a map"),
        (["mpa.safetensors", "x.npy", "-o", "y_like.npy"], "Did you mean 'map.safetensors'"),
    ],
)
def test_an_application_that_cannot_be_is_refused(arguments, told, call):
    call(*FIT)
    save_file({"vectors": X}, "dump.safetensors")

    assert told in refused(call, "translate", "apply", *arguments)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(call, tmp_path):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    err = call(*FIT[:-1], "locked/map.safetensors", code=2)[1]

    assert "cannot be written" in err


def test_a_missing_command_is_refused(call):
    assert "translate" in call("translate", code=2)[1]


# --- on real embeddings ---


@pytest.fixture(scope="module")
def data() -> Path:
    """Return the folder of real embeddings."""
    if not os.environ.get("RELCLI_SHARED"):
        pytest.skip("RELCLI_SHARED is not set: it names the folder whose data/ holds real embeddings")
    return Path(os.environ["RELCLI_SHARED"]) / "data"


def test_words_are_rotated_as_the_script_says(data):
    # the script rotates unit rows, without a mean or a scale
    pair = PairedSpaces.join(open_space(data / "words/w2v.npy"), open_space(data / "words/fasttext_cc2k.parquet"))
    batch = pair.batch(slice(0, len(pair)))
    x, y = unit_rows(batch.x), unit_rows(batch.y)
    anchor = np.isin(pair.ids, (data / "words/anchors.txt").read_text().split())
    found = fit_translation(x[anchor], y[anchor], scaling="none")(x)
    cosines = unit_rows(found) @ y.T
    rank = 1 + (cosines > np.diag(cosines)[:, None]).sum(axis=1)
    missed = [np.linalg.norm((y - found)[rows]) / np.linalg.norm(y[rows]) for rows in (anchor, ~anchor)]
    expected = json.loads((data / "reference.json").read_text())["fixed_words_w2v__ftcc"]["mean"]

    assert [np.diag(cosines).mean(), np.mean(1 / rank), *missed] == pytest.approx(
        [expected[f"procr.{name}"] for name in ("cos", "mrr_ab", "resid_fit", "resid_rest")], abs=1e-6
    )


def test_autoencoders_of_two_seeds_translate(data):
    missed = {}
    for method in METHODS:
        spaces = (data / "vision_fmnist" / f"ae_s{seed}_train.npy" for seed in (0, 1))
        report = relcli.translate_fit(*spaces, "uniform:300", method=method).report
        missed[method] = report.score("heldout-residual", "translated").value

    assert missed["ridge"] < missed["linear"] < 0.006
    assert missed["ortho"] < 0.03
