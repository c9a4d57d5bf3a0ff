"""Ways from one space to another by name: as they are, relative to shared anchors, or by a map fitted on these."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from relcli.arrays import Floats, unit_rows
from relcli.errors import UsageError, VectorError, did_you_mean
from relcli.spaces import translation
from relcli.spaces.relative import Centering, RelativeProjection
from relcli.spaces.similarity import parse_similarity, parse_sparse, similarity_name
from relcli.spaces.space import Projection

#: What a plus sign adds to a way, and to which kinds.
ADDITIONS = {
    "center": ("relative", "translate", "absolute"),
    "csls": ("relative", "translate", "absolute", "product"),
    "quantize": ("relative",),
    "sparse": ("relative",),
}

#: Means of the rows of x [dx] and of y [dy].
Means = tuple[Floats, Floats]


@dataclass(frozen=True)
class Way:
    """
    A way to compare two spaces, said in words.

    `kind` is absolute, relative, translate or product, `detail` the similarity or the translator. `center` subtracts
    each space's mean first, `quantize` and `sparse` (k, p) are as in RelativeProjection, and `csls` holds
    hubs back in the scores. A product goes all its `members`' ways at once: its cosines are the means of theirs
    (after Cannistraci et al. 2024, arXiv:2310.01211, whose members are relative vectors).
    """

    kind: str
    detail: str = ""
    center: bool = False
    quantize: float | None = None
    sparse: tuple[int, float] | None = None
    csls: bool = False
    members: tuple[Way, ...] = ()

    @property
    def parts(self) -> tuple[Way, ...]:
        """The ways it goes: the members of a product, or itself."""
        return self.members or (self,)

    @property
    def centres(self) -> bool:
        """Whether a part of it subtracts the means."""
        return any(part.center for part in self.parts)

    def less(self, *, center: bool = False, csls: bool = False) -> Way:
        """Return it without what is done anyway: centring, CSLS. Parts of a product that are then equal are one."""
        if not self.members:
            return replace(self, center=self.center and not center, csls=self.csls and not csls)
        members = tuple(dict.fromkeys(member.less(center=center) for member in self.members))
        scored = self.csls and not csls
        return replace(self, members=members, csls=scored) if len(members) > 1 else replace(members[0], csls=scored)

    def centred(self) -> Way:
        """Return it with every part subtracting the means."""
        return replace(self, center=not self.members, members=tuple(member.centred() for member in self.members))

    @property
    def name(self) -> str:
        """Return the one text that names it, such as "relative", "relative:euclidean+center" or "translate:ortho"."""
        if self.members:
            return f"{_PRODUCT}{','.join(member.name for member in self.members)}{'+csls' if self.csls else ''}"
        plain = self.kind if self.kind == "absolute" or (self.kind, self.detail) == ("relative", "cosine") else ""
        return "+".join([plain or f"{self.kind}:{self.detail}", *self._additions()])

    def _additions(self) -> Iterable[str]:
        if self.center:
            yield "center"
        if self.quantize is not None:
            yield f"quantize={self.quantize:g}"
        if self.sparse is not None:
            yield f"sparse={self.sparse[0]},{self.sparse[1]:g}"
        if self.csls:
            yield "csls"

    @property
    def view(self) -> str:
        """The view that measures must be defined on."""
        return "relative" if self.kind == "relative" else "absolute"

    @property
    def relate(self) -> Callable[[Floats], RelativeProjection]:
        """What makes the projection of anchors [a, d], for a relative way whose rows are centred if they are to be."""
        return partial(RelativeProjection, similarity=self.detail, quantize=self.quantize, sparse=self.sparse)


def product_of(ways: Sequence[Way]) -> Way:
    """Return the product of two or more ways, scored by CSLS if they all are."""
    return Way("product", members=tuple(replace(way, csls=False) for way in ways), csls=all(way.csls for way in ways))


_PRODUCT = "product:"
_MEMBERS = re.compile(r",\s*(?=(?:relative|translate|absolute|product)\b)")


def parse_way(
    text: str,
    *,
    additions: Iterable[str] = ("center", "quantize", "sparse"),
    products: bool = False,
    flag: str = "--via",
) -> Way:
    """
    Return the way that a text names: "relative", "relative:euclidean+center", "translate:ortho", "absolute".

    After a plus sign come `additions`: center, quantize=STEP, sparse=K,P and csls, those of them that the
    asking command knows. With `products` it may be "product:translate:ortho+center,relative", whose +csls stands
    at the end and is of the whole. Raises UsageError, which names the `flag`, for any other text.
    """
    if text.startswith(_PRODUCT):
        return _parse_product(text, tuple(additions), products, flag)
    base, *added = (part.strip() for part in text.split("+"))
    way = _parse_base(base, f"{flag} {text!r}", products)
    said: dict[str, object] = {}
    for part in added:
        name, equals, value = part.partition("=")
        known = [known for known in additions if way.kind in ADDITIONS[known]]
        if name not in known or bool(equals) != (name in ("quantize", "sparse")):
            raise UsageError(
                f"{flag} {text!r} adds {part!r}, and to {way.kind} may be added "
                f"{', '.join(_SAID[known] for known in known) or 'nothing'}.{did_you_mean(name, known)}"
            )
        if name in said:
            raise UsageError(f"{flag} {text!r} says {name!r} twice. Say it once.")
        said[name] = (
            _parse_step(value, f"{flag} {text!r}") if name == "quantize" else parse_sparse(value) if equals else True
        )
    return Way(way.kind, way.detail, **said)  # type: ignore[arg-type]


def _parse_product(text: str, additions: tuple[str, ...], allowed: bool, flag: str) -> Way:
    if not allowed:
        raise UsageError(
            f"{flag} {text!r} is a product of ways, which is for `retrieve`, `recommend` and, with --anchors, `match`. "
            "Name one way."
        )
    listed, csls, rest = text.removeprefix(_PRODUCT).strip().partition("+csls")
    if rest:
        raise UsageError(
            f"{flag} {text!r} goes on behind +csls with {rest!r}. "
            "Write +csls once, at the end: it is of the whole product."
        )
    if csls and "csls" not in additions:
        raise UsageError(f"{flag} {text!r} adds csls, by which nothing is scored here. Drop +csls.")
    names = [name.strip() for name in _MEMBERS.split(listed)]
    if any(name.startswith(_PRODUCT) for name in names):
        raise UsageError(f"{flag} {text!r} has a product within a product. List all ways in one.")
    members = tuple(
        parse_way(name, additions=[known for known in additions if known != "csls"], flag=flag) for name in names
    )
    if len(members) < 2:
        raise UsageError(f"{flag} {text!r} is a product of one. Write product:translate:ortho,relative:angular.")
    repeated = [way.name for way in dict.fromkeys(members) if members.count(way) > 1]
    if repeated:
        raise UsageError(f"{flag} {text!r} names {repeated[0]} more than once. Name each way once.")
    return Way("product", members=members, csls=bool(csls))


_SAID = {"center": "+center", "csls": "+csls", "quantize": "+quantize=STEP", "sparse": "+sparse=K,P"}


def _parse_base(base: str, said: str, products: bool) -> Way:
    kind, colon, detail = base.partition(":")
    if kind == "relative":
        return Way(kind, similarity_name(parse_similarity(detail)) if colon else "cosine")
    if kind == "translate":
        methods = translation.TRANSLATORS
        if detail not in methods:
            raise UsageError(
                f"No translation is called {detail!r}; there are "
                f"{', '.join(f'translate:{method}' for method in methods)}.{did_you_mean(detail, methods)}"
            )
        return Way(kind, detail)
    if kind == "absolute" and not colon:
        return Way(kind)
    kinds = [
        "relative",
        "relative:SIMILARITY",
        "translate:METHOD",
        "absolute",
        *(["product:WAY,WAY"] if products else []),
    ]
    raise UsageError(
        f"{said} is no way to compare: give {', '.join(kinds[:-1])} or {kinds[-1]}."
        f"{did_you_mean(kind, [name.partition(':')[0] for name in kinds])}"
    )


def _parse_step(value: str, said: str) -> float:
    try:
        step = float(value)
    except ValueError:
        step = 0.0
    if not 0 < step < float("inf"):
        raise UsageError(f"{said} rounds to multiples of {value!r}, which is no number above 0. Write 0.1.")
    return step


def via_name(text: str, *, additions: Iterable[str] = ("center", "quantize", "sparse"), products: bool = False) -> str:
    """Return the one name of what a text names, as in `parse_way`."""
    return parse_way(text, additions=additions, products=products).name


def check_widths(ways: Iterable[Way], x: tuple[str, int], y: tuple[str, int], *, flag: str = "--via") -> None:
    """Raise VectorError where a way compares the coordinates of x and y, each a name and a width, and these differ."""
    absolute = [way.name for way in ways if any(part.kind == "absolute" for part in way.parts)]
    if absolute and x[1] != y[1]:
        raise VectorError(
            f"{flag} {absolute[0]} compares coordinates, and {x[0]} has {x[1]} dimensions, {y[0]} {y[1]}. "
            "Use relative or translate:ortho."
        )


@dataclass(frozen=True)
class Via:
    """What carries rows of x and rows of y to where they may be compared: [b, dx] and [b, dy] -> [b, width]."""

    name: str
    x: Projection
    y: Projection


@dataclass(frozen=True)
class Then:
    """Apply `first`, then `second`."""

    first: Projection
    second: Projection

    def __call__(self, v: Floats) -> Floats:
        return self.second(self.first(v))


@dataclass(frozen=True)
class SideBySide:
    """Unit vectors by several projections, side by side and as long as one together: cosines of them are means."""

    parts: tuple[Projection, ...]

    def __call__(self, v: Floats) -> Floats:
        return side_by_side([part(v) for part in self.parts])


def beside(name: str, vias: Sequence[Via]) -> Via:
    """Return a product of ways that are made already."""
    return Via(name, SideBySide(tuple(via.x for via in vias)), SideBySide(tuple(via.y for via in vias)))


def side_by_side(parts: Sequence[Floats]) -> Floats:
    """Return unit rows of the parts [b, w] each side by side, over the square root of how many parts there are."""
    return np.hstack([unit_rows(part) for part in parts]) / np.sqrt(len(parts))


def as_it_is(v: Floats) -> Floats:
    """Return v."""
    return v


def make_via(name: str | Way, x: Floats, y: Floats, *, scaling: str = "global", means: Means | None = None) -> Via:
    """
    Return the way of that name for anchors x [a, dx] and y [a, dy]; a translation carries x to y.

    `scaling` is that of the translations. `means`, of the rows, are subtracted by a way that centres; without
    them those of the anchors are. Absolute vectors need one width on both sides. How scores are then taken,
    by cosine or CSLS, is the caller's.
    """
    way = name if isinstance(name, Way) else parse_way(name, additions=ADDITIONS, products=True)
    if way.members:
        return beside(way.name, [make_via(member, x, y, scaling=scaling, means=means) for member in way.members])
    if not way.center:
        return _plain(way, x, y, scaling)
    centre_x, centre_y = map(Centering.of, means or (x.mean(axis=0), y.mean(axis=0)))
    plain = _plain(way, centre_x(x), centre_y(y), scaling)
    return Via(way.name, Then(centre_x, plain.x), Then(centre_y, plain.y))


def _plain(way: Way, x: Floats, y: Floats, scaling: str) -> Via:
    """Return the way for rows and anchors that are centred already, if they are to be."""
    if way.kind == "absolute":
        return Via(way.name, as_it_is, as_it_is)
    if way.kind == "relative":
        return Via(way.name, way.relate(x), way.relate(y))
    return Via(way.name, translation.fit_translation(x, y, method=way.detail, scaling=scaling), as_it_is)
