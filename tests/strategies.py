"""Hypothesis strategies for pairs of spaces, nasty on purpose, and plain seeded ones."""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.oracles import Case, relative

MAX_ROWS = 24
MAX_DIMENSIONS = 6

# as text '10' comes before '9', 'Z' before 'a', and 'é' after 'z'
ID_POOL = (
    [str(number) for number in range(7, 21)]
    + ["a", "b", "B", "Z", "aa", "doc-2", "doc-10", "doc 3", "-1", "007", "1.0", "\N{SNOWMAN}"]
    + ["é", "e\N{COMBINING ACUTE ACCENT}", "ß", "ñandú", "日本", "ид", "שלום", "🦀", "x\ty", "'", "#1"]
)


def isometry(seed: int, d: int) -> np.ndarray:
    """Return a random orthogonal matrix [d, d], uniform over rotations and reflections."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def gaussian_pair(seed: int, m: int, dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two unrelated Gaussian spaces x [m, dx] and y [m, dy]."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, dx)), rng.standard_normal((m, dy))


def without_zero_rows(v: np.ndarray) -> np.ndarray:
    """Return v with a 1 in the first column of every row of zeros."""
    v = v.copy()
    v[~v.any(axis=1), 0] = 1.0
    return v


@st.composite
def lattice_rows(draw: st.DrawFn, m: int, d: int) -> np.ndarray:
    """Return rows [m, d] of a few small integers: many equal cosines, many equal rows."""
    edge = draw(st.sampled_from([1, 2, 3]))
    v = draw(arrays.arrays(np.int8, (m, d), elements=st.integers(-edge, edge)))
    return without_zero_rows(v.astype(np.float64))


@st.composite
def gaussian_rows(draw: st.DrawFn, m: int, d: int) -> np.ndarray:
    """Return Gaussian rows [m, d] that went through one of the usual dtypes."""
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return without_zero_rows(rng.standard_normal((m, d)).astype(dtype).astype(np.float64))


@st.composite
def dressed(draw: st.DrawFn, v: np.ndarray) -> np.ndarray:
    """Return rows v as a real space might hold them: off centre, stretched, with a dead column, rounded."""
    m, d = v.shape
    dress = draw(st.sampled_from(["plain", "plain", "mean", "one mean", "stretch", "dead", "float16", "equal"]))
    if dress == "mean":
        v = v + draw(st.sampled_from([10.0, 100.0, 1000.0]))
    elif dress == "one mean":
        v = v + np.where(np.arange(d) == draw(st.integers(0, d - 1)), 100.0, 0.0)
    elif dress == "stretch":
        v = v * 10.0 ** -(np.arange(d) % 4)
    elif dress == "dead":
        v = np.where(np.arange(d) == draw(st.integers(0, d - 1)), draw(st.sampled_from([0.0, 0.1, 1.0])), v)
    elif dress == "float16":
        v = (v * 0.1).astype(np.float16).astype(np.float64)
    elif dress == "equal":
        v = np.repeat(v[:1], m, axis=0)
    return without_zero_rows(v)


@st.composite
def with_copies(draw: st.DrawFn, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y where some rows repeat others, exactly or scaled, in one space or in both."""
    x, y = x.copy(), y.copy()
    row = st.integers(0, len(x) - 1)
    scale = st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.5, 3.0, -1.0])
    side = st.sampled_from(["x", "y", "both"])
    for source, target, by, where in draw(st.lists(st.tuples(row, row, scale, side), max_size=6)):
        if where != "y":
            x[target] = by * x[source]
        if where != "x":
            y[target] = by * y[source]
    return x, y


def facing_an_anchor(v: np.ndarray, anchors: list[int]) -> np.ndarray:
    """Return v with the first anchor added to every row that all anchors are orthogonal to."""
    v = v.copy()
    lost = np.max(np.abs(relative(v, v[anchors])), axis=1) < 1e-9
    v[lost] += v[anchors[0]]
    return v


@st.composite
def cases(draw: st.DrawFn, max_rows: int = MAX_ROWS, max_dimensions: int = MAX_DIMENSIONS) -> Case:
    """
    Return a Case of 1 to max_rows pairs: ties, copies, dead columns, far means, awkward ids.

    No row is zero in either view. About half have y as a rotated, noisy x or
    as many dimensions in both, so that the cross-space measures are defined.
    """
    m = draw(st.integers(1, max_rows))
    dx, dy = draw(st.integers(1, max_dimensions)), draw(st.integers(1, max_dimensions))
    x = draw(st.one_of(lattice_rows(m, dx), gaussian_rows(m, dx)))
    kin = draw(st.sampled_from(["none", "none", "width", "same", "rotated", "noisy"]))
    if kin in {"none", "width"}:
        d = dy if kin == "none" else dx
        y = draw(st.one_of(lattice_rows(m, d), gaussian_rows(m, d)))
    else:
        seed = draw(st.integers(0, 2**16))
        y = x.copy() if kin == "same" else x @ isometry(seed, dx)
        if kin == "noisy":
            y = y + 0.3 * np.random.default_rng(seed).standard_normal(y.shape)
    x, y = draw(with_copies(draw(dressed(x)), draw(dressed(y))))

    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    ids = [str(i) for i in rng.permutation(ID_POOL)[:m]]
    count = draw(st.integers(min(2, m), m if m < 4 else draw(st.sampled_from([3, m // 2, m]))))
    anchors = [int(i) for i in rng.permutation(m)[:count]]
    x, y = facing_an_anchor(x, anchors), facing_an_anchor(y, anchors)
    assume(x.any(axis=1).all() and y.any(axis=1).all())
    return Case(x, y, ids, anchors, draw(st.booleans()), draw(st.integers(1, m + 2)))


@st.composite
def determined(draw: st.DrawFn) -> Case:
    """Return a case where the anchors determine a rotation: more of them than dimensions, all in general position."""
    d = draw(st.integers(1, 4))
    count = draw(st.integers(d + 2, 10))
    m = count + draw(st.integers(2, 10))
    seed = draw(st.integers(0, 2**16))
    x, y = gaussian_pair(seed, m, d, d)
    y = y * draw(st.sampled_from([0.0, 0.1, 1.0])) + draw(st.sampled_from([0.5, 1.0, 30.0])) * x @ isometry(seed, d)
    x, y = x + draw(st.sampled_from([0.0, 1.0, 1000.0])), y + draw(st.sampled_from([0.0, 1.0, 1000.0]))
    order = [int(i) for i in np.random.default_rng(seed).permutation(m)]
    return Case(x, y, [f"{i}" for i in order], order[:count], draw(st.booleans()), 1)


@st.composite
def roomy(draw: st.DrawFn) -> Case:
    """Return a case with more pairs than dimensions in both views: few anchors, few dimensions, some of them dead."""
    dx, dy = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    count = draw(st.integers(2, 4))
    m = 2 * max(dx, dy, count) + count + draw(st.integers(2, 20))
    seed = draw(st.integers(0, 2**16))
    x, y = gaussian_pair(seed, m, dx, dy)
    y = y + draw(st.sampled_from([0.0, 0.5, 3.0])) * x @ gaussian_pair(seed + 1, dx, dy, 1)[0]
    x, y = draw(dressed(x)), draw(dressed(y))
    order = [int(i) for i in np.random.default_rng(seed).permutation(m)]
    return Case(x, y, [f"{i:02d}" for i in order], order[:count], draw(st.booleans()), 1)
