"""Ways to compare, said in words: names that come back as they were, and what each does to rows."""

from __future__ import annotations

import numpy as np
import pytest

import relcli
from relcli.errors import UsageError
from relcli.evaluation.vias import ADDITIONS, Way, make_via, parse_way, via_name
from tests.oracles_similarities import similarities

NAMES = (
    "absolute",
    "absolute+center",
    "relative",
    "relative+center",
    "relative:euclidean+center+csls",
    "relative+quantize=0.1",
    "relative+center+quantize=0.05+sparse=8,2+csls",
    "relative:product:cosine,l1+center",
    "translate:ortho",
    "translate:linear+center+csls",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stays_what_it_is(name):
    assert via_name(name, additions=ADDITIONS) == name


def test_additions_come_in_one_order_and_cosine_goes_without_saying():
    assert via_name("relative:cosine+csls+center", additions=ADDITIONS) == "relative+center+csls"


def test_a_way_is_what_its_name_says():
    assert parse_way("relative:l1+center+quantize=0.5") == Way("relative", "l1", center=True, quantize=0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("relative+centre", "Did you mean 'center'?"),
        ("relative+center=1", "adds 'center=1'"),
        ("relative+quantize", "adds 'quantize'"),
        ("relative+quantize=0", "no number above 0"),
        ("relative+quantize=x", "no number above 0"),
        ("relative+sparse=a", "not K,P"),
        ("translate:ortho+quantize=0.1", "to translate may be added +center"),
        ("relative+csls", "may be added +center"),
        ("relativ", "Did you mean 'relative'?"),
        ("absolute:cosine", "no way to compare"),
    ],
)
def test_what_it_does_not_know_it_refuses(text, said):
    with pytest.raises(UsageError) as refused:
        parse_way(text)

    assert said in str(refused.value)


def rows(seed: int, n: int, d: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) + 2.0


def test_centring_subtracts_the_means_that_are_given():
    x, y, v = rows(0, 12, 5), rows(1, 12, 4), rows(2, 7, 5)
    means = np.full(5, 2.0), np.full(4, 1.5)

    found = make_via("relative:euclidean+center", x, y, means=means)

    assert np.allclose(found.x(v), similarities("euclidean", v - 2.0, x - 2.0))
    assert np.allclose(found.y(y), similarities("euclidean", y - 1.5, y - 1.5))


def test_without_means_those_of_the_anchors_are_subtracted():
    x, v = rows(0, 12, 5), rows(2, 7, 5)

    found = make_via("relative+center", x, x)

    assert np.allclose(found.x(v), similarities("cosine", v - x.mean(axis=0), x - x.mean(axis=0)))


def test_similarities_are_rounded_to_multiples_of_the_step():
    x, v = rows(0, 12, 5), rows(2, 7, 5)

    found = make_via("relative+quantize=0.25", x, x).x(v)

    assert np.allclose(found, np.round(similarities("cosine", v, x) / 0.25) * 0.25)


def test_a_centred_translation_maps_centred_rows():
    x = rows(0, 40, 5)
    turn = np.linalg.qr(rows(3, 5, 5))[0]
    y = x @ turn + 3.0
    means = x.mean(axis=0), y.mean(axis=0)

    found = make_via("translate:ortho+center", x, y, means=means)

    assert np.allclose(found.x(x), y - means[1])
    assert np.allclose(found.y(y), y - means[1])


@pytest.mark.parametrize("plain", ["relative", "relative:euclidean", "translate:ortho", "absolute"])
def test_retrieving_by_a_centred_way_is_retrieving_with_center(plain):
    x = rows(0, 60, 6)
    y = x @ np.linalg.qr(rows(3, 6, 6))[0] * 2.0 + rows(4, 60, 6) / 5
    given = {"anchors": [str(row) for row in range(0, 60, 3)], "k": 5}

    one = relcli.retrieve(x, y, via=f"{plain}+center", **given)
    other = relcli.retrieve(x, y, via=plain, center=True, **given)

    assert np.array_equal(one.hits.ids, other.hits.ids)
    assert np.allclose(one.hits.scores, other.hits.scores, atol=1e-12)


def test_retrieving_by_ways_of_each_kind_at_once_is_retrieving_by_each_alone():
    x = rows(0, 60, 6)
    y = rows(4, 60, 6) + x
    ways = ("relative", "relative+csls", "relative+center+csls", "translate:ortho+center", "relative+quantize=0.1")
    given = {"anchors": [str(row) for row in range(0, 60, 3)], "k": 5}

    together = relcli.retrieve(x, y, via=ways, **given)

    for way in ways:
        alone = relcli.retrieve(x, y, via=way, **given)
        assert np.array_equal(together.via(way).ids, alone.hits.ids)
        assert np.allclose(together.via(way).scores, alone.hits.scores, atol=1e-12)


def test_what_holds_for_all_is_not_said_of_each():
    x, y = rows(0, 30, 6), rows(4, 30, 6)

    found = relcli.retrieve(x, y, range(10), via="relative+center+csls", center=True, csls=True, k=2)

    assert found.hits.via == "relative"


def test_matching_by_a_centred_way_is_matching_with_center():
    x = rows(0, 60, 6)
    y = x @ np.linalg.qr(rows(3, 6, 6))[0] + rows(4, 60, 6) / 3

    one = relcli.match(x, y, range(20), via=["relative+center", "absolute+center"])
    other = relcli.match(x, y, range(20), via=["relative", "absolute"], center=True)

    assert [score.value for score in one.scores] == [score.value for score in other.scores]
    assert one.scores[0].view == "relative+center"


def test_stitching_by_a_centred_similarity_is_stitching_with_center():
    x = rows(0, 80, 6)
    y = x @ np.linalg.qr(rows(3, 6, 6))[0] * 1.5
    labels = [str(row) for row in range(80)], [str(int(row[0] > 2)) for row in x]
    given = {"anchors": [str(row) for row in range(20)], "labels": labels, "head": "ridge"}

    one = relcli.stitch(x, y, similarity="cosine+center", **given)
    other = relcli.stitch(x, y, center=True, **given)

    def accuracies(found, via):
        return [stitch.figures["accuracy"].values for stitch in found.stitches if stitch.via == via]

    assert accuracies(one, "relative+center") == accuracies(other, "relative")
    assert len(accuracies(other, "relative")) == 4
