"""Relative vectors in files: what comes back, what is told about them, and what is refused."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import safetensors
import typer

import relcli
from relcli.arrays import float32_to_bfloat16, to_numpy
from relcli.cli.app import app, run
from relcli.engines.local import LocalEngine
from relcli.errors import AnchorError, FormatError, OutputError, RelcliError, UsageError, VectorError
from relcli.formats.format import save_space
from relcli.spaces.relative import RelativeProjection, anchor_digest
from relcli.spaces.space import Space
from tests import oracles_similarities as plain

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
ROWS, WIDTH = 500, 12
IDS = [f"item {row}" for row in range(ROWS)]
ANCHORS = IDS[::50]
ROUNDING = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-12, "bfloat16": 8e-3}


def vectors(seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((ROWS, WIDTH)) + 0.3).astype(np.float32)


def expected(v: np.ndarray, name: str = "cosine") -> np.ndarray:
    return plain.similarities(name, v.astype(np.float64), v[::50].astype(np.float64))


@pytest.fixture
def x(tmp_path: Path) -> Path:
    path = tmp_path / "x.parquet"
    save_space(path, IDS, vectors(), WIDTH)
    (tmp_path / "anchors.txt").write_text("\n".join(ANCHORS))
    return path


def saved(tmp_path: Path, name: str, source: object = None, anchors: object = None, **options: object) -> Space:
    path = tmp_path / name
    relcli.project(source or (IDS, vectors()), anchors or ANCHORS, output=path, **options)
    return relcli.open_space(path)


# --- what comes back ---


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(f"r{suffix}", dtype) for suffix in (".npy", ".parquet", ".safetensors") for dtype in list(ROUNDING)[:3]]
    + [("r.safetensors", "bfloat16")],
)
def test_every_format_and_dtype_gives_back_ids_vectors_and_provenance(name, dtype, tmp_path):
    space = saved(tmp_path, name, dtype=dtype)

    assert space.ids.tolist() == IDS
    assert space.origin.dtype == dtype
    assert space.origin.id_source != "row numbers"
    assert space.origin.provenance["kind"] == "relative"
    assert space.origin.provenance["dtype"] == dtype
    np.testing.assert_allclose(space.read(slice(None)), expected(vectors()), atol=ROUNDING[dtype])


@pytest.mark.parametrize("name", ["inner", "euclidean", "l1", "linf", "angular", "mahalanobis", "basis"])
def test_every_similarity_agrees_with_its_formula(name, tmp_path):
    found = saved(tmp_path, "r.npy", similarity=name).read(slice(None))

    np.testing.assert_allclose(found, expected(vectors(), name), rtol=1e-6, atol=1e-6)


def test_rows_are_centred_and_standardised_by_the_rows_of_the_space(tmp_path):
    v = vectors().astype(np.float64)
    centred = saved(tmp_path, "c.npy", center=True).read(slice(None))
    standard = saved(tmp_path, "s.npy", standardize=True).read(slice(None))

    np.testing.assert_allclose(centred, expected(v - v.mean(axis=0)), atol=1e-6)
    np.testing.assert_allclose(standard, expected((v - v.mean(axis=0)) / v.std(axis=0)), atol=1e-6)


def test_a_projected_space_is_read_on_demand_and_exactly_where_float64_is_asked_for():
    v = vectors().astype(np.float64)
    space = relcli.project((IDS, v), ANCHORS, dtype="float64")

    assert space.dim == len(ANCHORS)
    assert (space.read(slice(7, 9)) == RelativeProjection(v[::50])(v[7:9])).all()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 33, 1000])
def test_rows_come_in_order_whoever_computes_them(workers, size):
    space = relcli.project((IDS, vectors()), ANCHORS)
    told: list[int] = []
    batches = list(LocalEngine(workers, size).stream(space, told.append))

    assert max(map(len, batches)) <= size
    assert sum(told) == ROWS
    np.testing.assert_allclose(np.concatenate(batches), expected(vectors()), atol=1e-6)


def test_no_more_batches_are_kept_than_two_a_worker():
    read: list[int] = []

    class Counted:
        shape = (ROWS, WIDTH)

        def __getitem__(self, rows: slice) -> np.ndarray:
            read.append(len(range(*rows.indices(ROWS))))
            return vectors()[rows]

    space = Space("x", np.array(IDS), Counted(), relcli.project((IDS, vectors()), ANCHORS).origin)
    stream = LocalEngine(2, 10).stream(space)
    next(stream)

    assert len(read) <= 2 * 2
    stream.close()
    assert max(read) == 10
    assert len(read) <= 2 * 2


def test_bfloat16_is_rounded_to_the_nearest_as_torch_does(torch):
    numbers = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)
    numbers[0, :6] = [0.0, -0.0, np.inf, -np.inf, np.nan, 3.4e38]
    numbers[1] = np.arange(50, dtype=np.float32) / 256 + 1  # halfway between two
    found = to_numpy(float32_to_bfloat16(numbers))

    np.testing.assert_array_equal(found, torch.from_numpy(numbers).bfloat16().float().numpy())


# --- what is told ---


def test_the_metadata_says_how_the_vectors_were_made(x, tmp_path):
    options = {"similarity": "product:cosine,inner", "quantize": 0.01, "sparse": (3, 2.0), "center": True}
    for name in ("r.parquet", "r.safetensors", "r.npy"):
        saved(tmp_path, name, x, tmp_path / "anchors.txt", **options)
    stored = [json.loads(pq.read_schema(tmp_path / "r.parquet").metadata[b"relcli"])]
    with safetensors.safe_open(tmp_path / "r.safetensors", framework="numpy") as file:
        stored.append(json.loads(file.metadata()["relcli"]))
    stored.append(json.loads((tmp_path / "r.relcli.json").read_text())["provenance"])
    made = stored[0]

    assert stored == [made] * 3
    assert made["similarity"] == "product:cosine,inner"
    assert made["anchors"]["sha256"] == anchor_digest(np.array(ANCHORS), np.array(ANCHORS))
    assert made["anchors"]["count"] == 10
    assert (made["center"], made["standardize"], made["quantize"], made["sparse"]) == (True, False, 0.01, [3, 2.0])
    assert made["source"]["sha256"] == relcli.open_space(x).origin.sha256
    assert {"relcli", "numpy"} <= set(made["versions"])


def test_a_npy_written_anew_has_no_old_provenance(tmp_path):
    saved(tmp_path, "r.npy")
    save_space(tmp_path / "r.npy", IDS, vectors(), WIDTH)

    assert relcli.open_space(tmp_path / "r.npy").origin.provenance is None


def test_provenance_of_an_array_of_another_shape_is_not_believed(tmp_path):
    saved(tmp_path, "r.npy")
    np.save(tmp_path / "r.npy", vectors())

    assert relcli.open_space(tmp_path / "r.npy").origin.provenance is None


def test_shards_that_were_made_differently_are_refused(tmp_path):
    for shard, name in enumerate(("cosine", "inner")):
        saved(tmp_path, f"r_{shard}.parquet", similarity=name)

    with pytest.raises(FormatError, match="made alike"):
        relcli.open_space(f"{tmp_path}/r_*.parquet")


# --- what is refused ---


DIFFERENCES = {
    "similarity cosine and inner": {"similarity": "inner"},
    "anchors \\(SHA-256": {"anchors": IDS[:10]},
    "--center false and true": {"center": True},
    "--standardize false and true": {"standardize": True},
    "--quantize null and 0.1": {"quantize": 0.1},
    "--sparse null and \\[3, 1.0\\]": {"sparse": (3, 1.0)},
}


@pytest.mark.parametrize(("says", "other"), DIFFERENCES.items())
def test_projections_that_differ_are_not_compared(says, other, tmp_path):
    one, two = saved(tmp_path, "one.npy"), saved(tmp_path, "two.parquet", **other)

    with pytest.raises(UsageError, match=says):
        relcli.compare(one, two, ANCHORS)


def test_a_relative_space_is_not_compared_with_an_absolute_one(tmp_path):
    relative, absolute = saved(tmp_path, "r.npy"), (IDS, vectors())
    for pair in ((relative, absolute), (absolute, relative)):
        with pytest.raises(UsageError, match=r"r is relative \(cosine to anchors\)"):
            relcli.compare(*pair, ANCHORS)


def test_projections_made_alike_are_compared_whatever_their_dtype(tmp_path):
    one = saved(tmp_path, "one.npy", dtype="float16")
    two = saved(tmp_path, "two.safetensors", (IDS, vectors() * 3), dtype="bfloat16")
    report = relcli.compare(one, two, ANCHORS, measures="mrr", views="absolute")

    assert report.score("mrr", "absolute").value > 0.9


def test_what_is_relative_already_is_not_projected_again(tmp_path):
    with pytest.raises(UsageError, match="relative already"):
        relcli.project(saved(tmp_path, "r.npy"), ANCHORS)


def test_anchor_pairs_are_read_from_the_side_that_names_this_space(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"other {row}\t{name}\n" for row, name in enumerate(ANCHORS)))
    relative = relcli.project((IDS, vectors()), tmp_path / "pairs.tsv", side="y")

    np.testing.assert_allclose(relative.read(slice(None)), expected(vectors()), atol=1e-6)
    with pytest.raises(AnchorError, match="10 of 10 anchors are not in"):
        relcli.project((IDS, vectors()), tmp_path / "pairs.tsv")


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"anchors": ["item 1"]}, AnchorError, "at least 2"),
        ({"anchors": ["item 1", "item 2", "item 1"]}, AnchorError, "more than once: 'item 1'"),
        ({"anchors": ["item 1", "nobody"]}, AnchorError, "1 of 2 anchors are not in array \\('nobody'\\)"),
        ({"anchors": "uniform:10"}, UsageError, "other anchors in every space"),
        ({"similarity": "cosin"}, UsageError, "Did you mean 'cosine'"),
        ({"dtype": "float33"}, UsageError, "Did you mean 'float32'"),
        ({"dtype": "bfloat16"}, UsageError, r"a .npy keeps float16, float32, float64. Name a .safetensors"),
        ({"side": "z"}, UsageError, "none of x, y"),
        ({"on_bad": "mend"}, UsageError, "none of error, drop"),
        ({"quantise": 1}, UsageError, "Did you mean 'quantize'"),
        ({"sparse": (99, 1)}, UsageError, "k is 1 to 10"),
        ({"output": "r.csv"}, UsageError, "names no format"),
        ({"output": "nowhere/r.npy"}, OutputError, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(options, kind, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {"anchors": ANCHORS, "output": "r.npy", **options}

    with pytest.raises(kind, match=says):
        relcli.project((IDS, vectors()), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_bad_rows_are_named_or_left_out(tmp_path):
    v = vectors()
    v[3, 1], v[4, 0], v[5] = np.nan, np.inf, 0.0
    with pytest.raises(VectorError, match=r"1 Inf \('item 4'\); 1 NaN \('item 3'\); 1 zero \('item 5'\)"):
        relcli.project((IDS, v), ANCHORS)
    space = saved(tmp_path, "r.parquet", (IDS, v), on_bad="drop", center=True)
    rest = np.delete(v, [3, 4, 5], axis=0).astype(np.float64)
    mean = rest.mean(axis=0)

    assert space.ids.tolist() == [name for name in IDS if name not in ("item 3", "item 4", "item 5")]
    assert space.origin.provenance["rows_left_out"] == 3
    anchors = v[::50].astype(np.float64) - mean
    np.testing.assert_allclose(space.read(slice(None)), plain.similarities("cosine", rest - mean, anchors), atol=1e-6)


def test_a_bad_anchor_is_named():
    v = vectors()
    v[50] = 0.0
    with pytest.raises(AnchorError, match="zero or not finite in array: 'item 50'"):
        relcli.project((IDS, v), ANCHORS, on_bad="drop")


@pytest.mark.parametrize("name", ["r.npy", "r.parquet", "r.safetensors"])
def test_a_failure_while_writing_leaves_the_old_files(name, tmp_path):
    saved(tmp_path, name, similarity="inner")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    relative = relcli.project((IDS, vectors()), ANCHORS)

    class Torn:
        shape = relative.vectors.shape

        def __getitem__(self, rows: slice) -> np.ndarray:
            if rows.start:
                raise RelcliError("the disk is gone")
            return vectors()[rows]

    torn = Space("x", relative.ids, Torn(), relative.origin, relative.projections, relative.dim)
    with pytest.raises(RelcliError, match="the disk is gone"):
        save_space(tmp_path / name, torn.ids, LocalEngine(2, 100).stream(torn), torn.dim, metadata={"relcli": "{}"})

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# --- the command ---


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for sample in SAMPLES.iterdir():
        (tmp_path / sample.name).symlink_to(sample)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_its_help_runs(samples, capfd):
    example = typer.main.get_command(app).commands["project"].help.partition("Example: relcli ")[2]
    code = run(shlex.split(example))
    out, err = capfd.readouterr()

    assert code == 0, err
    assert out == ""
    assert "relative.parquet: 1,797 × 300 float32" in err
    assert relcli.open_space(samples / "relative.parquet").dim == 300


def test_flags_reach_the_provenance(samples, capfd):
    flags = "--similarity product:cosine,angular --center --quantize 0.001 --sparse 20,2 --dtype bfloat16 --quiet"
    code = run(shlex.split(f"project digits_ae_s1.parquet -a anchors.txt -o r.safetensors {flags}"))
    made = relcli.open_space("r.safetensors").origin.provenance

    assert (code, capfd.readouterr().err) == (0, "")
    assert (made["similarity"], made["sparse"], made["quantize"]) == ("product:cosine,angular", [20, 2.0], 0.001)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("digits_ae_s0.npy -a anchors.txt -o digits_ae_s0.npy", "is to be read"),
        ("digits_ae_s0.npy -a anchors.txt -o r.npy --sparse many", "K,P"),
        ("digits_ae_s0.npy -a nobody.txt -o r.npy", "nobody.txt"),
        ("digits_ae_s0.npy -a anchors.txt -o r.npy --dtype bfloat16", ".safetensors"),
    ],
)
def test_the_command_refuses_with_2_and_writes_nothing(arguments, says, samples, capfd):
    before = sorted(path.name for path in samples.iterdir())
    code = run(["project", *shlex.split(arguments)])

    assert code == 2
    assert says in capfd.readouterr().err
    assert sorted(path.name for path in samples.iterdir()) == before
