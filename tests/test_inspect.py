"""What inspect says of a dump, against plain formulas and known shapes, and what it flags."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import skew

import relcli
from relcli.cli.app import app, run
from relcli.engines.local import LocalEngine
from relcli.errors import UsageError
from relcli.formats.format import save_space
from relcli.reports.inspection import inspection_schema, to_json
from relcli.tasks.inspect import hub_skewness, two_nn
from tests import oracles_similarities as plain
from tests.strategies import gaussian_rows, lattice_rows

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"


def cloud(n: int = 300, d: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ np.diag(np.arange(1.0, d + 1)) + 0.5


def facts_of(v: np.ndarray, ids: list[str] | None = None, **options: object) -> dict:
    named = ids or [f"i{row}" for row in range(len(v))]
    found = relcli.inspect((named, v), **options)

    jsonschema.validate(json.loads(to_json(found)), inspection_schema())
    return found.spaces[0]


# --- the figures ---


def test_its_statistics_are_the_formulas():
    v = cloud()
    facts = facts_of(v)
    norms, mean = np.linalg.norm(v, axis=1), v.mean(axis=0)
    share = np.linalg.eigvalsh(np.cov(v.T))
    share /= share.sum()

    assert list(facts["norms"].values()) == pytest.approx(np.quantile(norms, [0, 0.05, 0.5, 0.95, 1]).tolist())
    assert facts["anisotropy"] == pytest.approx(np.linalg.norm(mean) / norms.mean())
    assert facts["mean_over_spread"] == pytest.approx(
        np.linalg.norm(mean) / np.sqrt(((v - mean) ** 2).sum(axis=1).mean())
    )
    assert facts["participation_ratio"] == pytest.approx(1 / (share**2).sum())
    assert facts["effective_rank"] == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert facts["intrinsic_dimension"] == pytest.approx(plain.two_nn(v))
    assert facts["hubness"] == pytest.approx(skew(plain.occurrences(v, 10)))
    assert facts["queries"] == 300


@settings(max_examples=25)
@given(st.integers(1, 30).flatmap(lambda n: st.one_of(lattice_rows(n, 3), gaussian_rows(n, 3))))
def test_no_dump_of_good_rows_is_too_odd(v):
    facts = facts_of(v)

    assert facts["duplicate_rows"] == len(v) - len(np.unique(v + 0.0, axis=0))
    assert 0 <= facts["anisotropy"] <= 1 + 1e-9
    if facts["participation_ratio"] is not None:
        assert 1 - 1e-9 <= facts["participation_ratio"] <= facts["effective_rank"] + 1e-9 <= 3 + 1e-6


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_intrinsic_dimension_is_that_of_the_manifold(d):
    rng = np.random.default_rng(d)
    flat = rng.uniform(size=(4000, d)) @ rng.standard_normal((d, 20))
    bent = np.concatenate([np.cos(0.3 * flat), np.sin(0.3 * flat)], axis=1)

    assert two_nn(flat) == pytest.approx(d, rel=0.08)
    assert two_nn(bent) == pytest.approx(d, rel=0.08)


def test_copies_do_not_lower_the_intrinsic_dimension():
    v = cloud(200, 3)

    assert two_nn(np.concatenate([v, v, v[:50]])) == pytest.approx(two_nn(v))
    assert two_nn(np.ones((50, 3))) is None


def test_hubness_of_all_lists_is_the_skewness_of_counts():
    rng = np.random.default_rng(0)
    lists = np.array([rng.choice(50, 10, replace=False) for _ in range(50)])
    counts = np.bincount(lists.ravel(), minlength=50)

    assert hub_skewness(lists, 50) == pytest.approx(skew(counts))
    assert hub_skewness(np.tile(np.arange(10), (10, 1)), 10) is None


def test_hubness_of_a_sample_aims_at_that_of_all():
    rng = np.random.default_rng(0)
    weights = rng.pareto(2, 400) + 0.1
    lists = np.array([rng.choice(400, 10, replace=False, p=weights / weights.sum()) for _ in range(400)])
    drawn = [hub_skewness(lists[rng.choice(400, 200, replace=False)], 400) for _ in range(200)]

    assert np.mean(drawn) == pytest.approx(hub_skewness(lists, 400), rel=0.05)


def test_workers_and_batches_do_not_show():
    v = cloud(500)
    v[7], v[9] = v[3], np.nan
    one, other = (facts_of(v, engine=engine) for engine in (LocalEngine(1), LocalEngine(3, 17)))

    for key, value in one.items():
        assert other[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, float | dict) else value), key


def test_a_far_mean_costs_no_digits():
    v, far = np.round(cloud() * 1024) / 1024, 2.0**20
    near, shifted = facts_of(v), facts_of(v + far)

    for key in ("participation_ratio", "effective_rank", "intrinsic_dimension"):
        assert shifted[key] == pytest.approx(near[key], rel=1e-6)


# --- what stands in the way ---


def test_bad_rows_are_counted_and_left_out():
    v = cloud(310).astype(np.float32)
    v[300:303, 2], v[303:305, 1], v[305:309] = np.nan, np.inf, 0.0
    facts = facts_of(v)
    good = facts_of(np.delete(v, range(300, 309), axis=0))

    assert facts["bad_rows"] == {"nan": 3, "inf": 2, "zero": 4}
    assert facts["norms"] == good["norms"]
    assert facts["participation_ratio"] == pytest.approx(good["participation_ratio"])
    assert any("3 rows hold NaN ('i300', 'i301', 'i302'): mend them, or --on-bad drop" in f for f in facts["flags"])


def test_nothing_but_bad_rows_is_still_told():
    facts = facts_of(np.full((20, 3), np.nan))

    assert facts["bad_rows"]["nan"] == 20
    assert facts["norms"] is None
    assert facts["hubness"] is None


@pytest.mark.parametrize("rows", [1, 2, 5, 12])
def test_few_rows_leave_some_figures_open(rows):
    facts = facts_of(cloud(rows))

    assert facts["rows"] == rows
    assert (facts["hubness"] is None) == (rows < 11)


def test_repeated_ids_and_rows_are_counted_and_flagged():
    v = cloud()
    v[10:13] = v[0]
    v[13] = -0.0 + v[1]
    ids = ["a", "a", "a", "b", "b", *(f"i{row}" for row in range(295))]
    facts = facts_of(v, ids)

    assert (facts["duplicate_ids"], facts["duplicate_rows"]) == (2, 4)
    assert "2 ids stand more than once ('a', 'b'): --on-duplicate first" in facts["flags"]
    assert any("4 of 300 rows repeat an earlier one" in flag for flag in facts["flags"])


def test_rows_that_differ_by_one_bit_are_no_copies():
    v = np.random.default_rng(0).integers(-3, 3, (2000, 6)).astype(np.float16).astype(np.float64)
    copies = facts_of(v)["duplicate_rows"]
    w = v.copy()
    w[:, 3] = np.nextafter(w[:, 3], np.inf)

    assert copies == len(v) - len(np.unique(v + 0.0, axis=0))
    assert facts_of(np.concatenate([v, w]))["duplicate_rows"] == 2 * copies


def test_what_would_trip_compare_is_said_with_the_way_out():
    v = cloud() + 30
    v[:, 3] = 2.0
    facts = facts_of(v, anchors=["i1", "i2", "nobody"])
    ratio = facts["mean_over_spread"]

    assert f"the mean is {ratio:.1f} × the spread: use --center" in facts["flags"]
    assert "1 of 8 dimensions never vary" in facts["flags"]
    assert "1 of 3 anchors are missing ('nobody'): --missing-anchors drop" in facts["flags"]
    assert any("look alike (mean cosine" in flag for flag in facts["flags"])
    assert facts_of(cloud() - cloud().mean(axis=0))["flags"] == []


def test_rows_that_are_all_equal_are_said_to_be():
    assert "all its rows are equal: nothing can be measured on it" in facts_of(np.ones((30, 4)))["flags"]


def test_anchors_are_measured_as_compare_does():
    v = cloud()
    ids = [f"i{row}" for row in range(300)]
    anchors = facts_of(v, ids, anchors=ids[:20])["anchors"]
    report = relcli.compare((ids, v), (ids, v), ids[:20], measures="cosine")

    assert (anchors["count"], anchors["found"]) == (20, 20)
    for name in ("rank", "condition", "mean_cosine"):
        assert anchors[name] == pytest.approx(report.anchors[f"{name}_x"])


def test_a_choice_of_anchors_and_a_tiny_sample_are_refused():
    with pytest.raises(UsageError, match="Give a file of anchor ids"):
        facts_of(cloud(), anchors="uniform:10")
    for sample in (2, "some"):
        with pytest.raises(UsageError, match="at least 3"):
            facts_of(cloud(), sample=sample)
    with pytest.raises(UsageError, match="Did you mean 'sample'"):
        facts_of(cloud(), samples=5)


def test_a_sample_is_drawn_by_id_not_by_place():
    v = cloud(400)
    ids = [f"i{row}" for row in range(400)]
    order = np.random.default_rng(1).permutation(400)
    one = facts_of(v, ids, sample=60)
    other = facts_of(v[order], [ids[row] for row in order], sample=60)

    assert one["queries"] == 60
    assert other["intrinsic_dimension"] == pytest.approx(one["intrinsic_dimension"])
    assert other["hubness"] == pytest.approx(one["hubness"])


# --- files and the command ---


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for sample in SAMPLES.iterdir():
        (tmp_path / sample.name).symlink_to(sample)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_the_example_of_its_help_runs(samples, capfd):
    example = typer.main.get_command(app).commands["inspect"].help.partition("Example: relcli ")[2]
    code = run(shlex.split(example))
    out, err = capfd.readouterr()

    assert (code, err) == (0, "")
    assert "1,797 × 32" in out
    assert "300 of 300" in out
    assert "digits_ae_s0 and digits_ae_s1 share 1,797 ids" in out.replace("\n", " ")
    assert max(map(len, out.splitlines())) <= 80


def test_the_json_validates_against_the_schema_that_is_printed(samples, capfd):
    assert run(["schema", "inspect"]) == 0
    schema = json.loads(capfd.readouterr().out)
    assert run(["inspect", "digits_conv.safetensors", "digits_ae_s0.npy", "--json", "--sha256", "--sample", "200"]) == 0
    document = json.loads(capfd.readouterr().out)

    jsonschema.validate(document, schema)
    assert [space["format"] for space in document["spaces"]] == ["safetensors", "npy"]
    assert document["spaces"][1]["sha256"] == relcli.open_space("digits_ae_s0.npy").origin.sha256
    assert document["settings"]["sample"] == "200"


def test_shards_members_and_provenance_are_told(tmp_path):
    v = cloud(40)
    ids = [f"i{row}" for row in range(40)]
    for shard in range(2):
        rows = slice(20 * shard, 20 * shard + 20)
        save_space(tmp_path / f"s_{shard}.parquet", ids[rows], v[rows], 8)
    relcli.project((ids, v), ids[:5], output=tmp_path / "r.npy")
    whole, relative = relcli.inspect(f"{tmp_path}/s_*.parquet", tmp_path / "r.npy").spaces

    assert (whole["shards"], whole["member"], whole["rows"], whole["id_source"]) == (2, "vector", 40, "column 'id'")
    assert relative["provenance"]["similarity"] == "cosine"
    assert relative["sha256"] is None


def test_an_unknown_schema_is_refused(capfd):
    assert run(["schema", "inspekt"]) == 2
    assert "Did you mean 'inspect'?" in capfd.readouterr().err
