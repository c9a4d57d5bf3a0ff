"""`retrieve` finds what brute force finds, and its figures are what their definitions say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import relcli
from relcli.accumulators import tiles
from relcli.engines.local import LocalEngine
from relcli.errors import (
    AnchorError,
    FormatError,
    IdError,
    JoinError,
    OutputError,
    RelcliError,
    UsageError,
    VectorError,
)
from relcli.measures.relevance import first_ranks, hit_chances, reciprocal_ranks
from relcli.spaces.relative import RelativeProjection
from relcli.spaces.translation import fit_translation, widened
from relcli.tasks import retrieve as task
from relcli.tasks.retrieve import via_name
from tests import oracles_retrieve as oracles

N, DX, DY = 150, 8, 8
ANCHORS = list(range(0, 24))
VIAS = [
    "relative",
    "relative:euclidean",
    "relative:product:cosine,l1",
    "translate:ortho",
    "translate:affine",
    "absolute",
    "product:translate:ortho,relative:euclidean",
]


def spaces(seed: int = 0, dy: int = DY) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return x, a noisy copy of it in other coordinates, and ids; some rows repeat others in both."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, DX)) + 0.5
    y = widened(x, max(DX, dy)) @ np.linalg.qr(rng.standard_normal((max(DX, dy), max(DX, dy))))[0][:, :dy]
    y = y + 0.3 * rng.standard_normal(y.shape)
    x[40:44], y[40:44] = x[30], y[30]
    y[60:70] = y[50]
    x[100] = 3 * x[101]
    # as text "w10" comes before "w9"
    return x, y, [f"w{i}" for i in range(N)]


def seen(via: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides where a method compares them."""
    if via.startswith("product:"):
        parts = [seen(part, x, y) for part in via.removeprefix("product:").split(",")]
        return tuple(np.hstack([oracles.unit(part[side]) for part in parts]) for side in (0, 1))  # type: ignore[return-value]
    kind, _, detail = via.partition(":")
    if kind == "absolute":
        return x, y
    if kind == "translate":
        mapped = fit_translation(x[ANCHORS], y[ANCHORS], method=detail)(x)
        return mapped, widened(y, mapped.shape[1])
    return tuple(RelativeProjection(side[ANCHORS], detail or "cosine")(side) for side in (x, y))  # type: ignore[return-value]


def ask(x, y, ids, **options):
    names = [ids[row] for row in ANCHORS]
    return relcli.retrieve((ids, x), (ids, y), names, **options)


@pytest.mark.parametrize("csls", [False, True], ids=["cosine", "csls"])
@pytest.mark.parametrize("via", VIAS)
def test_hits_are_those_of_brute_force(via, csls):
    x, y, ids = spaces()
    found = ask(x, y, ids, via=via, csls=csls, k=7)
    a, b = seen(via, x, y)
    scores = oracles.csls(a, b, a) if csls else oracles.cosines(a, b)

    assert found.hits.ids.tolist() == oracles.best(scores, ids, 7)
    at = [[ids.index(id) for id in row] for row in found.hits.ids]
    assert found.hits.scores == pytest.approx(np.take_along_axis(scores, np.array(at), axis=1), abs=1e-11)


@pytest.mark.parametrize("csls", [False, True], ids=["cosine", "csls"])
@pytest.mark.parametrize("via", VIAS)
def test_figures_are_those_of_the_plain_twin(via, csls):
    x, y, ids = spaces(1)
    found = ask(x, y, ids, via=via, csls=csls, include_anchors=True)
    a, b = seen(via, x, y)
    scores = oracles.csls(a, b, a) if csls else oracles.cosines(a, b)
    expected = oracles.figures(np.rint(scores * 2.0**38), [{row} for row in range(N)])

    assert {score.measure: score.value for score in found.scores} == pytest.approx(expected, abs=1e-9)


def test_several_relevant_items_are_a_hit_where_any_of_them_is():
    x, y, ids = spaces(2)
    rng = np.random.default_rng(3)
    truth = [(ids[i], ids[j]) for i in range(0, N, 2) for j in rng.choice(N, rng.integers(1, 5), replace=False)]
    # level items of which several, some or none are relevant
    truth += [(ids[1], ids[50]), (ids[1], ids[61]), (ids[1], ids[63]), (ids[3], ids[30]), (ids[3], ids[42])]
    found = ask(x, y, ids, truth=truth, include_anchors=True)
    relevant = [{ids.index(b) for a, b in truth if a == id} for id in ids]
    scores = oracles.cosines(*seen("relative", x, y))

    assert {s.measure: s.value for s in found.scores} == pytest.approx(oracles.figures(scores, relevant), abs=1e-9)
    assert found.scores[0].pairs == sum(map(bool, relevant))


@pytest.mark.slow
def test_figures_agree_with_trec_eval_averaged_over_the_names_of_ties():
    pytrec_eval = pytest.importorskip("pytrec_eval")
    x, y, ids = spaces(4)
    rng = np.random.default_rng(5)
    truth = [(ids[i], ids[j]) for i in range(N) for j in rng.choice(N, 3, replace=False)]
    found = ask(x, y, ids, truth=truth, include_anchors=True)
    scores = oracles.cosines(*seen("relative", x, y))
    # trec_eval orders ties by name, falling, and keeps scores in float32: ranks of the values are exact there
    levels = np.unique(scores, return_inverse=True)[1].reshape(scores.shape)
    qrels: dict[str, dict[str, int]] = {}
    for a, b in truth:
        qrels.setdefault(a, {})[b] = 1
    means = []
    for _ in range(200):
        name = rng.permutation(N)
        renamed = {q: {f"{name[ids.index(d)]:03d}": 1 for d in its} for q, its in qrels.items()}
        run = {q: {f"{name[j]:03d}": float(levels[i, j]) for j in range(N)} for i, q in enumerate(ids)}
        by_query = pytrec_eval.RelevanceEvaluator(renamed, {"success", "recip_rank"}).evaluate(run)
        means.append(
            [np.mean([v[m] for v in by_query.values()]) for m in ("success_1", "success_5", "success_10", "recip_rank")]
        )
    expected = dict(zip(("recall@1", "recall@5", "recall@10", "mrr"), np.mean(means, axis=0), strict=True))

    # 200 draws of the names of ties; without ties the figures are equal
    assert {m: found.score(m).value for m in expected} == pytest.approx(expected, abs=1.5e-3)


@pytest.mark.parametrize("greater", [0, 3, 12])
@pytest.mark.parametrize("level", [0, 1, 4])
@pytest.mark.parametrize("tied", [1, 2, 3])
def test_a_tie_is_drawn_out_in_full(greater, level, tied):
    scores = np.array([2.0] * greater + [1.0] * (level + tied) + [0.0] * 5)
    places = oracles.first_places(scores, set(range(greater + level, greater + level + tied)))
    case = np.array([greater]), np.array([level]), np.array([tied])

    assert first_ranks(*case)[0] == pytest.approx(np.mean(places))
    assert reciprocal_ranks(*case)[0] == pytest.approx(np.mean([1 / p for p in places]))
    assert reciprocal_ranks(*case, 5)[0] == pytest.approx(np.mean([1 / p if p <= 5 else 0 for p in places]))
    for k in (1, 2, 5, 10):
        assert hit_chances(*case, k)[0] == pytest.approx(np.mean([p <= k for p in places]), abs=1e-12)


def test_chance_is_what_unrelated_scores_get():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 5)), rng.standard_normal((60, 5))
    ids = [str(i) for i in range(60)]
    truth = [(str(i), str(j)) for i in range(60) for j in range(i % 3 + 1)]
    draws = []
    for _ in range(60):
        y = rng.permutation(y)
        draws.append(relcli.retrieve((ids, x), (ids, y), via="absolute", truth=truth))
    for name in ("recall@1", "recall@10", "mrr"):
        values = [draw.score(name).value for draw in draws]

        assert np.mean(values) == pytest.approx(draws[0].score(name).chance, abs=4 * np.std(values) / np.sqrt(60))


def test_anchors_are_not_in_the_figures_but_stay_in_the_gallery():
    x, y, ids = spaces()
    without, with_them = ask(x, y, ids), ask(x, y, ids, include_anchors=True)

    assert without.score("mrr").pairs == N - len(ANCHORS)
    assert with_them.score("mrr").pairs == N
    assert without.score("mrr").gallery == N
    assert without.hits.ids.tolist() == with_them.hits.ids.tolist()
    assert any("anchors" in note for note in without.notes)


def test_results_do_not_depend_on_blocks_or_workers(monkeypatch):
    x, y, ids = spaces(6)
    options = {"via": VIAS, "csls": True, "center": True}
    expected = ask(x, y, ids, **options, engine=LocalEngine(1, batch_rows=1000))
    monkeypatch.setattr(task, "_BLOCK_ROWS", (1, 13))
    monkeypatch.setattr(task, "_SAMPLE_ROWS", 11)
    for name in ("relcli.accumulators.tiles",):
        monkeypatch.setattr(f"{name}.TILE_COLUMNS", 24)
        monkeypatch.setattr(f"{name}.TILE_ROWS", 5)
    assert tiles.TILE_ROWS == 5
    found = ask(x, y, ids, **options, engine=LocalEngine(3, batch_rows=17))

    for ours, theirs in zip(found.lists, expected.lists, strict=True):
        assert ours.ids.tolist() == theirs.ids.tolist()
        assert ours.scores == pytest.approx(theirs.scores, abs=2e-12)
    assert [s.value for s in found.scores] == pytest.approx([s.value for s in expected.scores], abs=1e-12)


def test_blocks_are_handed_over_and_not_kept(monkeypatch):
    monkeypatch.setattr(task, "_BLOCK_ROWS", (1, 40))
    x, y, ids = spaces()
    taken = []
    found = ask(x, y, ids, take=lambda lists: taken.append(lists[0]))

    assert found.lists == ()
    assert [len(lists.queries) for lists in taken] == [40, 40, 40, 30]
    assert np.concatenate([lists.ids for lists in taken]).tolist() == ask(x, y, ids).hits.ids.tolist()


def test_the_rows_may_come_in_any_order():
    x, y, ids = spaces()
    order = np.random.default_rng(1).permutation(N)
    names = [ids[row] for row in ANCHORS]
    found = relcli.retrieve((ids, x), ([ids[i] for i in order], y[order]), names)

    assert found.hits.ids.tolist() == ask(x, y, ids).hits.ids.tolist()


def test_new_vectors_are_searched_for():
    x, y, ids = spaces()
    old = ask(x, y, ids, queries=["w70", "w71"])
    new = ask(x, y, ids, queries=(["w70", "other"], x[70:72]))

    assert new.hits.ids.tolist() == old.hits.ids.tolist()
    assert new.hits.counted.tolist() == [True, False]


def test_widths_may_differ():
    x, y, ids = spaces(dy=12)
    found = ask(x, y, ids, via=["relative", "translate:ortho"])
    a, b = seen("translate:ortho", x, y)

    assert found.via("translate:ortho").ids.tolist() == oracles.best(oracles.cosines(a, b), ids, 10)


def test_a_shift_is_centred_away():
    x, _, ids = spaces()
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((DX, DX)))[0]
    y = x @ rotation + 5.0
    # the rows that repeat others are level with them
    alone = [id for row, id in enumerate(ids) if row not in (*range(30, 44), 100, 101)]

    assert ask(x, y, ids, queries=alone).score("recall@1").value < 0.9
    assert ask(x, y, ids, queries=alone, center=True).score("recall@1").value == 1


def test_without_shared_ids_anchors_give_the_centre_and_nothing_the_truth():
    x, y, ids = spaces()
    others = [f"y{id}" for id in ids]
    anchors = [(ids[row], others[row]) for row in ANCHORS]
    found = relcli.retrieve((ids, x), (others, y), anchors, center=True)

    assert found.scores == ()
    assert found.hits.match is None
    assert any("no truth" in note for note in found.notes)
    assert any("24 anchors" in note for note in found.notes)


def test_bad_rows_are_refused_or_left_out():
    x, y, ids = spaces()
    y[80] = np.nan
    with pytest.raises(VectorError, match="'w80'"):
        ask(x, y, ids)
    found = ask(x, y, ids, on_bad="drop")

    assert "w80" not in found.hits.ids
    assert found.score("mrr").gallery == N - 1


REFUSED = [
    ({"queries": ["w1o0"]}, IdError, "Did you mean 'w1"),
    ({"queries": np.ones((2, 5))}, VectorError, "5 dimensions"),
    ({"k": N + 1}, UsageError, "more than the 150"),
    ({"k": 0}, UsageError, "-k 0"),
    ({"via": "relativ"}, UsageError, "Did you mean 'relative'"),
    ({"via": "relative:cosin"}, UsageError, "Did you mean 'cosine'"),
    ({"via": "translate:orto"}, UsageError, "Did you mean 'ortho'"),
    ({"via": "translate"}, UsageError, "translate:ortho"),
    ({"index": "faiss:hsnw"}, UsageError, "Did you mean 'faiss:hnsw'"),
    ({"index": "faiss:flat", "csls": True}, UsageError, "--index exact"),
    ({"truth": [("a", "b")]}, JoinError, "answers nothing"),
    ({"truth": []}, IdError, "no pairs"),
    ({"queries": []}, UsageError, "No queries"),
    ({"save_index": "somewhere"}, UsageError, "--index faiss:hnsw"),
    ({"on_bad": "dorp"}, UsageError, "Did you mean 'drop'"),
    ({"depth": 3}, UsageError, "no option 'depth'"),
]


@pytest.mark.parametrize(("options", "kind", "words"), REFUSED, ids=[str(list(o)) for o, _, _ in REFUSED])
def test_what_cannot_be_answered_is_refused_with_its_reason(options, kind, words):
    x, y, ids = spaces()
    with pytest.raises(kind, match=words.replace("(", r"\(")):
        ask(x, y, ids, **options)


def test_methods_need_anchors_and_absolute_equal_widths():
    x, y, ids = spaces(dy=12)
    with pytest.raises(UsageError, match="needs anchors"):
        relcli.retrieve((ids, x), (ids, y))
    with pytest.raises(VectorError, match="8 dimensions"):
        relcli.retrieve((ids, x), (ids, y), via="absolute")
    with pytest.raises(AnchorError, match="missing"):
        relcli.retrieve((ids, x), (ids, y), ["w0", "w1", "zz"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("relative:cosine", "relative"),
        ("relative:product: cosine, l1", "relative:product:cosine,l1"),
        (" absolute", "absolute"),
    ],
)
def test_one_method_has_one_name(text, expected):
    assert via_name(text) == expected


# -- approximate ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", ["relative", "translate:ortho", "absolute", "product:translate:ortho,relative"])
def test_a_flat_index_finds_what_exact_search_finds(via):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((120, 6)), rng.standard_normal((120, 6))
    ids = [f"w{i}" for i in range(120)]
    found = ask(x, y, ids, via=via, index="faiss:flat", k=3)
    exact = ask(x, y, ids, via=via, k=3)

    assert found.hits.ids.tolist() == exact.hits.ids.tolist()
    assert found.hits.scores.tolist() == exact.hits.scores.tolist()
    assert found.score("index-recall@3").value == 1
    assert found.score("recall@10").value == pytest.approx(exact.score("recall@10").value)
    assert found.score("median-rank").value is None


def test_an_index_of_a_product_depends_on_the_anchors_of_its_parts(tmp_path):
    pytest.importorskip("faiss")
    x, y, ids = spaces()
    names = [ids[row] for row in ANCHORS]
    options = {"index": "faiss:flat", "via": "product:absolute,relative", "save_index": tmp_path / "index"}
    relcli.retrieve((ids, x), (ids, y), names, **options)
    moved = y.copy()
    moved[ANCHORS[0]] += 1

    with pytest.raises(UsageError, match="anchor"):
        relcli.retrieve((ids, x), (ids, y), names[1:], **options)
    with pytest.raises(UsageError, match="anchor_vectors"):
        relcli.retrieve((ids, x), (ids, moved), names, **options)


def test_centring_all_is_not_said_of_each_part():
    x, y, ids = spaces()
    every = ask(x, y, ids, via="product:translate:ortho+center,translate:ortho,relative", center=True, k=3)
    each = ask(x, y, ids, via="product:translate:ortho+center,relative+center", k=3)

    assert every.hits.via == "product:translate:ortho,relative"
    assert each.hits.via == "product:translate:ortho+center,relative+center"
    assert every.hits.ids.tolist() == each.hits.ids.tolist()


@pytest.mark.parametrize("kind", ["faiss:hnsw", "faiss:ivf"])
def test_the_recall_of_an_index_is_that_against_brute_force(kind):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((150, 12)), rng.standard_normal((2000, 12))
    xs, ys = [f"x{i}" for i in range(150)], [f"y{i:04d}" for i in range(2000)]
    options = {"via": "absolute", "k": 10, "center": False}
    found = relcli.retrieve((xs, x), (ys, y), index=kind, **options)
    exact = relcli.retrieve((xs, x), (ys, y), **options)
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(found.hits.ids, exact.hits.ids, strict=True)]

    assert found.score("index-recall@10").value == pytest.approx(np.mean(shares))
    assert found.score("index-recall@10").value > 0.3


def test_an_index_is_kept_and_read_again(tmp_path):
    pytest.importorskip("faiss")
    x, y, ids = spaces()
    folder = tmp_path / "index"
    made = ask(x, y, ids, index="faiss:hnsw", save_index=folder, via=["relative", "absolute"])
    again = ask(x, y, ids, index="faiss:hnsw", save_index=folder)
    read = ask(x, y, ids, index="faiss:hnsw", load_index=folder, via="absolute")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["index"]
    assert again.hits.ids.tolist() == made.hits.ids.tolist()
    assert read.hits.ids.tolist() == made.via("absolute").ids.tolist()
    assert any("stored index" in note for note in again.notes)
    assert json.loads((folder / "index.json").read_text())["schema_version"] == "1.0"


def test_an_index_of_something_else_is_refused_with_the_difference(tmp_path):
    pytest.importorskip("faiss")
    x, y, ids = spaces()
    folder = tmp_path / "index"
    names = [ids[row] for row in ANCHORS]
    options = {"index": "faiss:flat", "save_index": folder}
    relcli.retrieve((ids, x), (ids, y), names, **options)
    with pytest.raises(UsageError, match="anchors"):
        relcli.retrieve((ids, x), (ids, y), names[1:], **options)
    with pytest.raises(UsageError, match="gallery"):
        relcli.retrieve((ids, x), (ids, y + 1), names, **options)
    with pytest.raises(UsageError, match="center"):
        relcli.retrieve((ids, x), (ids, y), names, center=True, **options)
    with pytest.raises(UsageError, match="kind"):
        relcli.retrieve((ids, x), (ids, y), names, **{**options, "index": "faiss:hnsw"})
    with pytest.raises(UsageError, match="not for absolute"):
        relcli.retrieve((ids, x), (ids, y), names, via="absolute", **options)


def test_a_place_for_an_index_must_be_one(tmp_path):
    pytest.importorskip("faiss")
    x, y, ids = spaces()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="taken"):
        ask(x, y, ids, index="faiss:flat", save_index=tmp_path)
    with pytest.raises(FormatError, match="no index"):
        ask(x, y, ids, index="faiss:flat", load_index=tmp_path / "none")
    with pytest.raises(RelcliError, match="cannot be written"):
        ask(x, y, ids, index="faiss:flat", save_index=tmp_path / "no" / "index")

    assert [path.name for path in Path(tmp_path).iterdir()] == ["notes.txt"]


def test_without_faiss_the_way_to_install_it_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    x, y, ids = spaces()
    with pytest.raises(relcli.errors.MissingExtraError, match=r"relcli\[faiss\]"):
        ask(x, y, ids, index="faiss:flat")
