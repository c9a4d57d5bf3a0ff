"""The JSON of every command validates against the schema that `relcli schema` prints for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from relcli.cli.app import run

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
PAIR = ("digits_ae_s0.npy", "digits_ae_s1.parquet", "--anchors", "anchors.txt")
LABELS = ("--labels", "labels.csv", "--split", "labels.csv", "--head", "ridge")

COMMANDS = {
    "compare": ("compare", *PAIR, "-m", "mrr,linear-cka", "--null", "2", "--anchor-draws", "2", "--json"),
    "check": ("check", "report.json", "--check", "mrr>=0.1", "--json"),
    "retrieve": ("retrieve", *PAIR, "--query", "digit-0000", "--json"),
    "translate": ("translate", "fit", *PAIR, "-o", "map.safetensors", "--json"),
    "inspect": ("inspect", "digits_ae_s0.npy", "--anchors", "anchors.txt", "--sample", "300", "--json"),
    "anchors": ("anchors", "check", "anchors.txt", "digits_ae_s0.npy", "--json"),
    "stitch": ("stitch", *PAIR, *LABELS, "--json"),
    "match": ("match", *PAIR, "--queries", "50", "--seeds", "2", "--json"),
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
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert run(["compare", *PAIR, "-m", "mrr", "-o", "report.json", "-q"]) == 0
    return place


@pytest.mark.parametrize("name", COMMANDS)
def test_a_document_validates(name, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    capfd.readouterr()
    code = run(COMMANDS[name])
    out, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(out)
    assert run(["schema", name]) == 0
    schema = json.loads(capfd.readouterr().out)

    jsonschema.Draft202012Validator(schema).validate(document)
    assert schema["required"]
