"""The JSON of every command validates against the schema that `relcli schema` prints for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from relcli.cli.app import run
from relcli.reports.matching import matching_schema

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
PAIR = ("digits_ae_s0.npy", "digits_ae_s1.parquet", "--anchors", "anchors.txt")
CLASSES = ("--classes", "prototypes.tsv", "--labels", "labels.csv", "--missing-labels", "drop")
LABELS = ("--labels", "labels.csv", "--split", "labels.csv", "--head", "ridge")

COMMANDS = {
    "compare": ("compare", *PAIR, "-m", "mrr,linear-cka", "--null", "2", "--anchor-draws", "2", "--json"),
    "check": ("check", "report.json", "--check", "mrr>=0.1", "--json"),
    "retrieve": ("retrieve", *PAIR, "--query", "digit-0000", "--json"),
    "translate": ("translate", "fit", *PAIR, "-o", "map.safetensors", "--json"),
    "inspect": ("inspect", "digits_ae_s0.npy", "--anchors", "anchors.txt", "--sample", "300", "--json"),
    "anchors": ("anchors", "check", "anchors.txt", "digits_ae_s0.npy", "--json"),
    "stitch": ("stitch", *PAIR, *LABELS, "--json"),
    "classify": ("classify", *PAIR, *CLASSES, "--json"),
    "stitch-apply": ("stitch", "apply", "head.skops", PAIR[1], "--labels", "labels.csv", "--json"),
    "match": ("match", *PAIR, "--queries", "50", "--seeds", "2", "--json"),
    "match without anchors": ("match", *PAIR[:2], "--sample", "400", "--shared-only", "--json"),
    "match from seeds": (
        "match",
        *PAIR[:2],
        "--anchors",
        "uniform:10",
        "--bootstrap",
        "100",
        "--shared-only",
        "--json",
    ),
    "recommend": ("recommend", *PAIR, "--labels", "labels.csv", "--folds", "2", "--direction", "forward", "--json"),
    "sweep": ("sweep", *PAIR[:2], "--anchors-grid", "10,20", "--draws", "2", "--via", "relative", "--json"),
    "matrix": ("matrix", *PAIR, "--measures", "debiased-cka", "--json"),
    "diff": ("diff", "report.json", "report.json", "--json"),
    "config": ("config", "--json"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the samples and a report."""
    place = tmp_path_factory.mktemp("documents")
    for sample in SAMPLES.iterdir():
        if sample.is_file():
            shutil.copy(sample, place)
    (place / "prototypes.tsv").write_text("digit-0000\t0\ndigit-0011\t1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert run(["compare", *PAIR, "-m", "mrr", "-o", "report.json", "-q"]) == 0
        assert run(["stitch", *PAIR, *LABELS, "--save-head", "head.skops", "-q"]) == 0
    return place


@pytest.mark.parametrize("name", COMMANDS)
def test_a_document_validates(name, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    capfd.readouterr()
    code = run(COMMANDS[name])
    out, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(out)
    assert run(["schema", name.partition(" ")[0]]) == 0
    schema = json.loads(capfd.readouterr().out)

    jsonschema.Draft202012Validator(schema).validate(document)
    assert schema["required"]


@pytest.mark.parametrize("name", ["match without anchors", "match from seeds"])
def test_every_key_of_what_was_discovered_is_described(name, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    capfd.readouterr()
    assert run(COMMANDS[name]) == 0
    told = json.loads(capfd.readouterr().out)["extra"]["discovery"]
    schema = matching_schema()["properties"]["extra"]["properties"]["discovery"]

    assert set(told) == set(schema["properties"])
    lists = {key: told[key] for key in ("starts", "stages", "calibration") if told[key]}
    assert len(lists) == 2
    for key, entries in lists.items():
        assert set(entries[0]) == set(schema["properties"][key]["items"]["properties"])


def test_a_wrong_discovery_is_refused():
    schema = matching_schema()["properties"]["extra"]

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"discovery": {"status": "experimental"}}, schema)
    jsonschema.validate({}, schema)
