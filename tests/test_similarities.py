"""Similarities against their plain twins, and the laws a relative projection keeps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import relcli
from relcli.errors import UsageError
from relcli.spaces.relative import Centering, RelativeProjection, Standardization
from relcli.spaces.similarity import ABOVE_ZERO, SIMILARITIES, parse_similarity, parse_sparse, similarity_name
from tests import oracles_similarities as plain
from tests.strategies import dressed, gaussian_rows, isometry, lattice_rows

PRODUCT = "product:cosine,euclidean,l1"
EVERY = (*SIMILARITIES, PRODUCT)
every_similarity = pytest.mark.parametrize("name", EVERY)


def cloud(seed: int, n: int, d: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) @ np.diag(1.0 + np.arange(d)) + 0.5


def twin(name: str, v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    names = list(parse_similarity(name))
    return plain.product(names, v, anchors) if len(names) > 1 else plain.similarities(name, v, anchors)


@st.composite
def rows_and_anchors(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    d, n = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    rows = draw(dressed(draw(st.one_of(lattice_rows(n + 4, d), gaussian_rows(n + 4, d)))))
    count = draw(st.integers(2, 4))
    return rows[count:], rows[:count]


@every_similarity
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("a", "d"), [(40, 7), (7, 7), (5, 12)])
def test_it_agrees_with_its_twin(name, exact, a, d):
    v, anchors = cloud(0, 30, d), cloud(1, a, d)
    v[3] = anchors[2]
    found = RelativeProjection(anchors, name, exact=exact)(v)
    # float32 for the cosines of files, float64 for all else; an angle of 0 is the root of a rounding
    tolerance = 1e-6 if name == "cosine" and not exact else 1e-7 if name == "angular" else 1e-10

    np.testing.assert_allclose(found, twin(name, v, anchors), rtol=tolerance, atol=tolerance)


@every_similarity
def test_it_agrees_with_its_twin_on_nasty_rows(name):
    @settings(max_examples=60)
    @given(rows_and_anchors())
    def on_each(case):
        v, anchors = case
        spread = np.linalg.svd(anchors - anchors.mean(axis=0), compute_uv=False)
        lengths = np.linalg.svd(anchors, compute_uv=False)
        for singular, which in ((spread, "mahalanobis"), (lengths, "basis")):
            # where rank is a matter of rounding, two ways to tell it may differ
            if name == which and ((singular < 1e-4 * lengths[0]) & (singular > 0)).any():
                return
        size = np.abs(np.concatenate([v, anchors])).max() ** (2 if name == "inner" else 1)
        expected = twin(name, v, anchors)
        tolerance = 1e-6 if name in ("angular", "basis", "mahalanobis", PRODUCT) else 1e-10 * max(size, 1.0)

        np.testing.assert_allclose(RelativeProjection(anchors, name)(v), expected, rtol=1e-6, atol=tolerance)

    on_each()


@pytest.mark.parametrize("name", ["cosine", "angular", "euclidean", "l1", "basis"])
def test_it_agrees_with_latentis_where_both_define_it(name, torch):
    v, anchors = cloud(2, 50, 16), cloud(3, 12, 16)

    np.testing.assert_allclose(RelativeProjection(anchors, name)(v), plain.latentis(name, v, anchors), atol=1e-6)


@every_similarity
@pytest.mark.parametrize("extra", [{}, {"quantize": 0.01}])
def test_a_row_has_the_same_bits_in_every_batch(name, extra):
    v, anchors = cloud(4, 200, 19), cloud(5, 33, 19)
    project = RelativeProjection(anchors, name, **extra)
    whole = project(v)

    for size in (1, 7, 64):
        pieces = np.concatenate([project(v[start : start + size]) for start in range(0, len(v), size)])
        assert (pieces == whole).all()
    assert (project(v[::-1].copy())[::-1] == whole).all()


@every_similarity
def test_the_fast_path_gives_a_row_nearly_the_same_in_every_batch(name):
    v, anchors = cloud(4, 200, 19), cloud(5, 33, 19)
    project = RelativeProjection(anchors, name, exact=False)
    tolerance = 1e-6 if name == "cosine" else 1e-7 if name == "angular" else 1e-12

    np.testing.assert_allclose(np.concatenate([project(row[None]) for row in v]), project(v), rtol=1e-9, atol=tolerance)


@every_similarity
@pytest.mark.parametrize("exact", [True, False])
def test_it_survives_pickling_before_and_after_use(name, exact):
    v, anchors = cloud(6, 9, 5), cloud(7, 6, 5)
    project = RelativeProjection(anchors, name, exact=exact)
    before = pickle.loads(pickle.dumps(project))(v)
    expected = project(v)

    assert (before == expected).all()
    assert (pickle.loads(pickle.dumps(project))(v) == expected).all()
    assert expected.shape == (9, project.dim)


@pytest.mark.parametrize("name", ["cosine", "angular", "euclidean", "inner", "basis", "mahalanobis"])
def test_a_rotation_of_the_space_changes_nothing(name):
    v, anchors, turn = cloud(8, 20, 6), cloud(9, 8, 6), isometry(0, 6)

    np.testing.assert_allclose(
        RelativeProjection(anchors @ turn, name)(v @ turn), RelativeProjection(anchors, name)(v), atol=1e-9
    )


def test_mahalanobis_is_unchanged_by_any_affine_map_that_anchors_span():
    v, anchors = cloud(10, 20, 5), cloud(11, 30, 5)
    shear = np.random.default_rng(0).standard_normal((5, 5)) + 3 * np.eye(5)

    np.testing.assert_allclose(
        RelativeProjection(anchors @ shear + 7, "mahalanobis")(v @ shear + 7),
        RelativeProjection(anchors, "mahalanobis")(v),
        atol=1e-9,
    )


def test_distances_survive_a_mean_far_larger_than_the_spread():
    v, anchors = cloud(12, 20, 8), cloud(13, 6, 8)
    far = 2.0**20

    np.testing.assert_allclose(
        RelativeProjection(anchors + far, "euclidean")(v + far), plain.similarities("euclidean", v, anchors), rtol=1e-8
    )


@given(rows_and_anchors(), st.integers(1, 4), st.sampled_from([0.5, 1.0, 2.0, 8.0]))
@settings(max_examples=60)
def test_sparse_keeps_the_largest_and_raises_them(case, k, power):
    v, anchors = case
    k = min(k, len(anchors))
    scores = RelativeProjection(anchors)(v)
    expected = [plain.sparse(row, k, power) for row in scores.tolist()]

    np.testing.assert_allclose(RelativeProjection(anchors, sparse=(k, power))(v), expected, atol=1e-9)


def test_quantize_rounds_to_multiples():
    v, anchors = cloud(14, 20, 6), cloud(15, 6, 6)

    np.testing.assert_allclose(
        RelativeProjection(anchors, quantize=0.05)(v), np.round(plain.similarities("cosine", v, anchors) / 0.05) * 0.05
    )


def test_standardization_is_that_of_scikit_learn():
    from sklearn.preprocessing import StandardScaler

    v = cloud(16, 50, 5)
    v[:, 2] = 3.0

    np.testing.assert_allclose(
        Standardization.of(v.mean(axis=0), v.var(axis=0))(v), StandardScaler().fit_transform(v), atol=1e-5
    )
    np.testing.assert_allclose(Centering.of(v.mean(axis=0))(v), v - v.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cosin", "Did you mean 'cosine'?"),
        ("product:cosine,euklidean", "Did you mean 'euclidean'?"),
        ("product", "too few similarities"),
        ("product:cosine", "too few similarities"),
        ("cosine,l1", "write product:cosine,l1"),
        ("product:l1,l1", "more than once"),
        ("", "No similarity is called ''"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(text, says):
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        parse_similarity(text)


@every_similarity
def test_a_name_is_what_its_parts_are_called(name):
    assert similarity_name(parse_similarity(name)) == name


@pytest.mark.parametrize("name", [name for name in SIMILARITIES if name not in ABOVE_ZERO])
def test_sparse_is_refused_where_0_is_no_low_similarity(name):
    with pytest.raises(UsageError, match="it goes with cosine, inner, angular"):
        RelativeProjection(cloud(0, 4, 3), name, sparse=(2, 1.0))


@pytest.mark.parametrize("wrong", [{"quantize": 0}, {"quantize": float("nan")}, {"sparse": (0, 1)}, {"sparse": (9, 1)}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UsageError):
        RelativeProjection(cloud(0, 4, 3), **wrong)


def test_sparse_is_read_from_text():
    assert parse_sparse("100,8") == (100, 8.0)
    for text in ("100", "a,b", "1.5,2", ""):
        with pytest.raises(UsageError, match="K,P"):
            parse_sparse(text)


def test_compare_takes_any_similarity():
    x = cloud(17, 60, 6)
    ids = [f"i{row}" for row in range(60)]
    report = relcli.compare(
        (ids, x),
        (ids, x @ isometry(1, 6)),
        ids[:8],
        similarity="product:cosine,euclidean",
        measures="mrr,cosine",
        views="relative",
    )

    assert report.settings["similarity"] == "product:cosine,euclidean"
    assert report.score("cosine").value == pytest.approx(1)
    with pytest.raises(UsageError, match="Did you mean 'cosine'"):
        relcli.compare((ids, x), (ids, x), ids[:8], similarity="cosinus")


LATENTIS = {
    "cosine": ("cosine_proj", lambda theirs: theirs),
    "angular": ("angular_proj", lambda theirs: 1 - theirs),
    "euclidean": ("euclidean_proj", lambda theirs: -theirs),
    "l1": ("l1_proj", lambda theirs: -theirs),
    "basis": ("change_of_basis_proj", lambda theirs: theirs),
}


@pytest.mark.parametrize("name", LATENTIS)
def test_it_is_what_latentis_projects(name, torch):
    """Theirs are distances where ours are similarities, hence the signs."""
    projection = pytest.importorskip("latentis.transform.projection")
    rng = np.random.default_rng(3)
    rows, anchors = rng.standard_normal((40, 12)), rng.standard_normal((9, 12))
    function, as_ours = LATENTIS[name]
    theirs = getattr(projection, function)(torch.from_numpy(rows), anchors=torch.from_numpy(anchors)).numpy()

    np.testing.assert_allclose(RelativeProjection(anchors, name)(rows), as_ours(theirs), atol=1e-6)
