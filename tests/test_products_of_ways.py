"""Products of ways: how they are written, and what they compare."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relcli.arrays import unit_rows
from relcli.errors import UsageError
from relcli.evaluation.vias import ADDITIONS, Way, make_via, parse_way, product_of

NAMES = [
    "absolute",
    "relative",
    "relative+center",
    "relative:angular",
    "relative:product:cosine,l1",
    "relative+sparse=3,2",
    "translate:ortho",
    "translate:ridge+center",
]
members = st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True)


def parsed(text: str) -> Way:
    return parse_way(text, additions=ADDITIONS, products=True)


@given(members, st.booleans())
def test_a_product_is_read_as_it_is_written(names, csls):
    text = f"product:{','.join(names)}{'+csls' if csls else ''}"
    way = parsed(text)

    assert way.name == text
    assert [part.name for part in way.parts] == names
    assert way.csls == csls
    assert way == product_of([parsed(f"{name}{'+csls' if csls else ''}") for name in names])


@given(members, st.integers(0, 5))
def test_cosines_of_a_product_are_the_means_of_those_of_its_parts(names, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 20, 4)) + 1.0
    rows_x, rows_y = rng.standard_normal((7, 4)), rng.standard_normal((9, 4))

    def cosines(name: str) -> np.ndarray:
        via = make_via(parsed(name), x, y)
        return unit_rows(via.x(rows_x)) @ unit_rows(via.y(rows_y)).T

    together = cosines(f"product:{','.join(names)}")

    assert together == pytest.approx(np.mean([cosines(name) for name in names], axis=0), abs=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("product:relative", "product of one"),
        ("product:relative+csls,absolute", "goes on behind"),
        ("product:relative,absolute+csls+csls", "goes on behind"),
        ("product:relative,relative:cosine", "more than once"),
        ("Product:relative,absolute", "Did you mean 'product'"),
        ("product:", "no way to compare"),
        ("product:ortho,relative", "'ortho'"),
        ("product:relative,product:relative:l1,absolute", "product within a product"),
        ("product:relative,translate:best", "'best'"),
    ],
)
def test_what_is_no_product_is_refused(text, said):
    with pytest.raises(UsageError, match=said):
        parsed(text)


def test_a_product_is_refused_where_one_way_is_wanted():
    with pytest.raises(UsageError, match="`retrieve`, `recommend` and, with --anchors, `match`"):
        parse_way("product:relative,absolute")
