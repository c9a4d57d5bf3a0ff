"""Maps between spaces: each is its plain twin's, exact where it can be, the same every time, and survives its file."""

from __future__ import annotations

import json
import pickle
import struct

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import LinearRegression, Ridge

from relcli.errors import AnchorError, FormatError, RelcliError, UsageError, VectorError
from relcli.formats.maps import load_map, save_map
from relcli.spaces.translation import SCALINGS, TRANSLATORS, Translation, fit_similarity, fit_translation
from tests.oracles_translation import FITS, farthest, prepared, translated
from tests.strategies import gaussian_pair, isometry

every_method = pytest.mark.parametrize("method", TRANSLATORS)
every_scaling = pytest.mark.parametrize("scaling", SCALINGS)


def related(dx: int, dy: int, *, anchors: int = 90, rows: int = 40, noise: float = 0.3, seed: int = 3):
    """Return anchors x and y and other rows v and w, where y is a noisy linear image of x, off centre and stretched."""
    rng = np.random.default_rng(seed)
    v = rng.standard_normal((anchors + rows, dx)) * np.linspace(0.5, 3, dx) + 2
    y = v @ rng.standard_normal((dx, dy)) + 5 + noise * rng.standard_normal((anchors + rows, dy))
    return v[:anchors], y[:anchors], v[anchors:], y[anchors:]


def rotated(d: int, *, seed: int = 4, shift: float = 7.0, scale: float = 2.5, rows: int = 120):
    """Return x [rows, d] and an exact rotation of it, scaled and shifted."""
    x = np.random.default_rng(seed).standard_normal((rows, d)) * np.linspace(1, 4, d) + 1
    return x, scale * (x - 1) @ isometry(seed, d) + shift


def share_missed(y: np.ndarray, found: np.ndarray) -> float:
    return float(np.sum((y - found) ** 2) / np.sum((y - y.mean(axis=0)) ** 2))


def test_every_translator_has_a_twin():
    assert set(FITS) == set(TRANSLATORS)


@pytest.mark.parametrize("widths", [(12, 12), (10, 16), (16, 10)], ids=lambda w: f"{w[0]} to {w[1]}")
@every_scaling
@every_method
def test_a_translator_is_its_twin(method, scaling, widths):
    x, y, v, _ = related(*widths)
    if method == "inverse-relative" and scaling == "none":
        x, v = x - 2, v - 2
    found = fit_translation(x, y, method=method, scaling=scaling)(v)

    np.testing.assert_allclose(found, translated(x, y, v, method, scaling), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("method", ["ortho", "l-ortho", "linear", "affine", "ridge"])
def test_a_rotation_with_scale_and_shift_is_recovered(method):
    x, y = rotated(24)
    found = fit_translation(x[:60], y[:60], method=method)(x[60:])

    # ridge keeps its smallest penalty, 1e-12 of the largest squared singular value
    tolerance = 1e-8 if method == "ridge" else 1e-10
    np.testing.assert_allclose(found, y[60:], atol=tolerance * np.abs(y).max(), rtol=0)


def test_the_way_through_relative_space_recovers_directions():
    x, y = rotated(24)
    translation = fit_translation(x[:60], y[:60], method="inverse-relative")
    found, wanted = translation(x[60:]) - translation.mean_y, y[60:] - translation.mean_y

    lengths = np.linalg.norm(found, axis=1)
    cosines = np.sum(found * wanted, axis=1) / lengths / np.linalg.norm(wanted, axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-12)
    np.testing.assert_allclose(lengths, np.linalg.norm(y[:60] - translation.mean_y, axis=1).mean())


def test_scaling_each_dimension_breaks_a_rotation():
    x, y = rotated(24)
    whole, each = (fit_translation(x[:60], y[:60], scaling=scaling)(x[60:]) for scaling in ("global", "standard"))

    assert share_missed(y[60:], whole) < 1e-20
    assert share_missed(y[60:], each) > 1e-3


def test_a_narrow_space_is_embedded_in_a_wider_one_and_back():
    x, _ = rotated(48)
    y = np.pad(x, ((0, 0), (0, 16))) @ isometry(1, 64) + 3
    there = fit_translation(x[:80], y[:80])
    back = fit_translation(y[:80], x[:80])

    assert (there.dx, there.dy, back.dx, back.dy) == (48, 64, 64, 48)
    np.testing.assert_allclose(there(x[80:]), y[80:], atol=1e-10)
    np.testing.assert_allclose(back(y[80:]), x[80:], atol=1e-10)


def test_ortho_is_the_similarity_that_compare_measures():
    x, y, v, _ = related(12, 12)

    np.testing.assert_allclose(fit_translation(x, y)(v), fit_similarity(x, y)(v), atol=1e-10)


def test_ortho_is_scipys():
    x, y, _, _ = related(12, 12)
    translation = fit_translation(x, y, scaling="none")

    np.testing.assert_allclose(translation.matrix, orthogonal_procrustes(x, y)[0], atol=1e-12)


def test_linear_and_affine_are_sklearns():
    x, y, v, _ = related(10, 14)
    expected = LinearRegression().fit(x, y).predict(v)

    np.testing.assert_allclose(fit_translation(x, y, method="linear")(v), expected, atol=1e-9)
    np.testing.assert_allclose(fit_translation(x, y, method="affine", scaling="none")(v), expected, atol=1e-9)


def test_linear_without_scaling_goes_through_the_origin():
    x, y, v, _ = related(10, 14)
    translation = fit_translation(x, y, method="linear", scaling="none")

    np.testing.assert_allclose(translation(v), LinearRegression(fit_intercept=False).fit(x, y).predict(v), atol=1e-9)
    np.testing.assert_array_equal(translation(np.zeros((1, 10))), np.zeros((1, 14)))


def test_ridge_is_sklearns_with_its_own_penalty():
    x, y, v, _ = related(30, 8, anchors=35, noise=4.0)
    translation = fit_translation(x, y, method="ridge")

    np.testing.assert_allclose(translation(v), Ridge(alpha=translation.penalty).fit(x, y).predict(v), atol=1e-9)


def test_plain_least_squares_collapses_where_anchors_equal_dimensions_and_ridge_does_not():
    missed = {}
    for anchors in (41, 400):
        x, y, v, w = related(40, 40, anchors=anchors, rows=200, noise=6.0)
        for method in ("linear", "ridge"):
            missed[method, anchors] = share_missed(w, fit_translation(x, y, method=method)(v))

    assert missed["linear", 400] < 0.3
    assert missed["linear", 41] > 2
    assert missed["ridge", 41] < 0.8


def test_ridge_leaves_unrelated_spaces_at_their_mean():
    x, y = gaussian_pair(9, 60, 20, 20)
    v, w = gaussian_pair(10, 500, 20, 20)

    assert share_missed(w, fit_translation(x, y, method="ridge")(v)) < 1.1
    assert share_missed(w, fit_translation(x, y, method="linear")(v)) > 1.3


@pytest.mark.parametrize(("dx", "dy", "anchors"), [(48, 64, 90), (48, 64, 40), (64, 64, 64)])
@every_method
def test_six_fits_are_bit_identical(method, dx, dy, anchors):
    x, y, v, _ = related(dx, dy, anchors=anchors)
    first = fit_translation(x, y, method=method)

    for _ in range(5):
        again = fit_translation(x.copy(), y.copy(), method=method)
        assert again.matrix.tobytes() == first.matrix.tobytes()
        assert again(v).tobytes() == first(v).tobytes()


@every_method
def test_fewer_anchors_than_dimensions_give_finite_rows(method):
    x, y, v, _ = related(40, 30, anchors=12)

    assert np.isfinite(fit_translation(x, y, method=method)(v)).all()


@every_scaling
@every_method
def test_constant_dimensions_give_finite_rows(method, scaling):
    x, y, v, _ = related(8, 8)
    x[:, 3] = v[:, 3] = 0.1
    y[:, 5] = 0.7
    found = fit_translation(x, y, method=method, scaling=scaling)(v)

    assert np.isfinite(found).all()


def test_pruning_keeps_anchors_far_apart_in_y():
    x, y, _, _ = related(6, 6)
    x, y = np.vstack([x, x[:50]]), np.vstack([y, y[:50]])
    unit_x, unit_y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in prepared(x, y, "global")[:2])
    kept = farthest(unit_y, [f"{i:03d}" for i in range(len(y))], 30, start=0)
    pruned = fit_translation(x, y, method="inverse-relative", prune=30)

    np.testing.assert_allclose(pruned.matrix, unit_x[kept].T @ np.linalg.pinv(unit_y[kept].T), atol=1e-10)
    assert pruned.length == fit_translation(x, y, method="inverse-relative").length


@pytest.mark.parametrize("wrong", [1, 91])
def test_pruning_to_an_impossible_number_is_refused(wrong):
    x, y, _, _ = related(6, 6)

    with pytest.raises(UsageError, match="no number from 2 to 90"):
        fit_translation(x, y, method="inverse-relative", prune=wrong)


def test_pruning_goes_with_inverse_relative_only():
    with pytest.raises(UsageError, match="not with ortho"):
        fit_translation(*related(6, 6)[:2], prune=10)


@pytest.mark.parametrize(
    ("how", "hint"),
    [({"method": "orhto"}, "'ortho'"), ({"scaling": "globl"}, "'global'"), ({"method": "sgd"}, "ridge")],
)
def test_an_unknown_translator_or_scaling_is_refused(how, hint):
    with pytest.raises(UsageError, match=hint):
        fit_translation(*related(6, 6)[:2], **how)


def test_equal_anchors_are_refused():
    with pytest.raises(AnchorError, match="All 20 anchors are equal in x"):
        fit_translation(np.full((20, 4), 0.1), gaussian_pair(1, 20, 4, 4)[1])


def test_a_width_that_the_map_does_not_take_is_refused():
    with pytest.raises(VectorError, match="takes 6 dimensions, the array has 5"):
        fit_translation(*related(6, 7)[:2])(np.zeros((2, 5)))


@every_method
def test_a_map_survives_pickling(method):
    x, y, v, _ = related(6, 9)
    translation = fit_translation(x, y, method=method)

    assert pickle.loads(pickle.dumps(translation))(v).tobytes() == translation(v).tobytes()


# In a file


@every_scaling
@every_method
def test_a_reloaded_map_is_bit_identical(method, scaling, tmp_path):
    x, y, v, _ = related(6, 9)
    translation = fit_translation(x, y, method=method, scaling=scaling)
    save_map(tmp_path / "map.safetensors", translation, {"source": "é", "anchors_sha256": "ab"})
    saved = load_map(tmp_path / "map.safetensors")

    assert saved.translation(v).tobytes() == translation(v).tobytes()
    assert saved.provenance == {"source": "é", "anchors_sha256": "ab"}
    for name in ("method", "scaling", "length", "penalty", "dx", "dy"):
        assert getattr(saved.translation, name) == getattr(translation, name)


def test_equal_maps_are_equal_files_that_the_library_reads(tmp_path):
    x, y, _, _ = related(6, 9)
    for name in ("a", "b"):
        save_map(tmp_path / f"{name}.safetensors", fit_translation(x, y), {"target": "t", "source": "s"})
    with safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        metadata = file.metadata()

    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert {name: metadata[name] for name in ("kind", "schema_version", "method", "scaling", "dx", "dy")} == {
        "kind": "relcli-map",
        "schema_version": "1.0",
        "method": "ortho",
        "scaling": "global",
        "dx": "6",
        "dy": "9",
    }
    assert json.loads(metadata["relcli_versions"])["numpy"]


def rewritten(path, change):
    """Change the header of a safetensors file by a function of its metadata."""
    held = path.read_bytes()
    (length,) = struct.unpack("<Q", held[:8])
    header = json.loads(held[8 : 8 + length])
    change(header)
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + held[8 + length :])


def newer(header):
    header["__metadata__"]["schema_version"] = "2.0"


def later_minor(header):
    header["__metadata__"]["schema_version"] = "1.7"


def unknown_method(header):
    header["__metadata__"]["method"] = "sgd"


def without_a_mean(header):
    header["other"] = header.pop("mean_x")


def misshapen(header):
    header["matrix"]["shape"] = [9, 6]


@pytest.fixture
def saved(tmp_path):
    """Return the path of a map from 6 to 9 dimensions."""
    save_map(tmp_path / "map.safetensors", fit_translation(*related(6, 9)[:2]))
    return tmp_path / "map.safetensors"


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (newer, UsageError, "schema 2.0, and this relcli reads 1.x"),
        (unknown_method, FormatError, "method 'sgd' is none of ortho"),
        (without_a_mean, FormatError, "without mean_x"),
        (misshapen, FormatError, "do not fit each other"),
    ],
)
def test_a_file_that_is_no_map_of_ours_is_refused(saved, change, error, told):
    rewritten(saved, change)

    with pytest.raises(error, match=told):
        load_map(saved)


def test_a_later_minor_version_is_read(saved):
    rewritten(saved, later_minor)

    assert isinstance(load_map(saved).translation, Translation)


def test_a_dump_is_no_map(tmp_path):
    save_file({"vectors": np.ones((3, 4), np.float32)}, tmp_path / "dump.safetensors")

    with pytest.raises(FormatError, match="no map: it holds 'vectors'"):
        load_map(tmp_path / "dump.safetensors")


def test_a_map_of_nan_is_refused(saved, tmp_path):
    held = bytearray(saved.read_bytes())
    held[-8:] = struct.pack("<d", float("nan"))
    saved.write_bytes(held)

    with pytest.raises(FormatError, match="not all finite"):
        load_map(saved)


@pytest.mark.parametrize("held", [b"", b"not a map", b"\x00" * 64])
def test_a_file_of_something_else_is_refused(held, tmp_path):
    (tmp_path / "map.safetensors").write_bytes(held)

    with pytest.raises(RelcliError, match=r"map\.safetensors"):
        load_map(tmp_path / "map.safetensors")


def test_a_map_is_written_under_its_suffix_only(tmp_path):
    with pytest.raises(UsageError, match=r"map\.safetensors"):
        save_map(tmp_path / "map.npz", fit_translation(*related(6, 9)[:2]))
    assert not list(tmp_path.iterdir())


# As latentis has them, where it is installed


@pytest.mark.parametrize(
    ("name", "method"),
    [("svd_align_state", "ortho"), ("lstsq_align_state", "linear"), ("lstsq_ortho_align_state", "l-ortho")],
)
def test_it_is_what_latentis_fits(name, method, torch):
    functional = pytest.importorskip("latentis.transform.translate.functional")
    x, y, _, _ = related(12, 12)
    matrix = getattr(functional, name)(torch.from_numpy(x), torch.from_numpy(y))["matrix"].numpy()

    np.testing.assert_allclose(fit_translation(x, y, method=method, scaling="none").matrix, matrix, atol=1e-6)


def test_it_is_what_latentis_translates(torch):
    aligner = pytest.importorskip("latentis.transform.translate.aligner")
    x, y, v, _ = related(12, 16)
    theirs = aligner.Procrustes().fit(torch.from_numpy(x), torch.from_numpy(y)).transform(torch.from_numpy(v))[0]

    np.testing.assert_allclose(fit_translation(x, y, scaling="standard")(v), theirs.numpy(), atol=1e-6)
