"""Ways from one space to another by name: as they are, relative to shared anchors, or by a map fitted on these."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from relcli.arrays import Floats
from relcli.errors import UsageError, did_you_mean
from relcli.spaces import translation
from relcli.spaces.relative import Centering, RelativeProjection
from relcli.spaces.similarity import parse_similarity, parse_sparse, similarity_name
from relcli.spaces.space import Projection

#: What a plus sign adds to a way, and to which kinds.
ADDITIONS = {
    "center": ("relative", "translate", "absolute"),
    "csls": ("relative", "translate", "absolute"),
    "quantize": ("relative",),
    "sparse": ("relative",),
}

#: Means of the rows of x [dx] and of y [dy].
Means = tuple[Floats, Floats]


@dataclass(frozen=True)
class Way:
    """
    A way to compare two spaces, said in words.

    `kind` is absolute, relative or translate, `detail` the similarity or the translator. `center` subtracts
    each space's mean first, `quantize` and `sparse` (k, p) are as in RelativeProjection, and `csls` holds
    hubs back in the scores.
    """

    kind: str
    detail: str = ""
    center: bool = False
    quantize: float | None = None
    sparse: tuple[int, float] | None = None
    csls: bool = False

    @property
    def name(self) -> str:
        """Return the one text that names it, such as "relative", "relative:euclidean+center" or "translate:ortho"."""
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


def parse_way(text: str, *, additions: Iterable[str] = ("center", "quantize", "sparse")) -> Way:
    """
    Return the way that a text names: "relative", "relative:euclidean+center", "translate:ortho", "absolute".

    After a plus sign come `additions`: center, quantize=STEP, sparse=K,P and csls, those of them that the
    asking command knows. Raises UsageError for any other text.
    """
    base, *added = (part.strip() for part in text.split("+"))
    way = _parse_base(base, text)
    said: dict[str, object] = {}
    for part in added:
        name, equals, value = part.partition("=")
        known = [known for known in additions if way.kind in ADDITIONS[known]]
        if name not in known or bool(equals) != (name in ("quantize", "sparse")):
            raise UsageError(
                f"--via {text!r} adds {part!r}, and to {way.kind} may be added "
                f"{', '.join(_SAID[known] for known in known) or 'nothing'}.{did_you_mean(name, known)}"
            )
        if name in said:
            raise UsageError(f"--via {text!r} says {name!r} twice. Say it once.")
        said[name] = _parse_step(value, text) if name == "quantize" else parse_sparse(value) if equals else True
    return Way(way.kind, way.detail, **said)  # type: ignore[arg-type]


_SAID = {"center": "+center", "csls": "+csls", "quantize": "+quantize=STEP", "sparse": "+sparse=K,P"}


def _parse_base(base: str, text: str) -> Way:
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
    raise UsageError(
        f"--via {text!r} is no way to compare: give relative, relative:SIMILARITY, translate:METHOD or absolute."
        f"{did_you_mean(kind, ('relative', 'translate', 'absolute'))}"
    )


def _parse_step(value: str, text: str) -> float:
    try:
        step = float(value)
    except ValueError:
        step = 0.0
    if not 0 < step < float("inf"):
        raise UsageError(f"--via {text!r} rounds to multiples of {value!r}, which is no number above 0. Write 0.1.")
    return step


def via_name(text: str, *, additions: Iterable[str] = ("center", "quantize", "sparse")) -> str:
    """Return the one name of what a text names, as in `parse_way`."""
    return parse_way(text, additions=additions).name


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
    way = name if isinstance(name, Way) else parse_way(name, additions=ADDITIONS)
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
