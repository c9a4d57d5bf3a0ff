"""Ways from one space to another by name: as they are, relative to shared anchors, or by a map fitted on these."""

from __future__ import annotations

from dataclasses import dataclass

from relcli.arrays import Floats
from relcli.errors import UsageError, did_you_mean
from relcli.spaces import translation
from relcli.spaces.relative import RelativeProjection
from relcli.spaces.similarity import parse_similarity, similarity_name
from relcli.spaces.space import Projection


def via_name(text: str) -> str:
    """Return the name of a method such as "relative", "relative:euclidean", "translate:ortho" or "absolute"."""
    kind, colon, detail = text.strip().partition(":")
    if kind == "relative":
        name = similarity_name(parse_similarity(detail)) if colon else "cosine"
        return "relative" if name == "cosine" else f"relative:{name}"
    if kind == "translate":
        methods = translation.TRANSLATORS
        if detail not in methods:
            raise UsageError(
                f"No translation is called {detail!r}; there are "
                f"{', '.join(f'translate:{method}' for method in methods)}.{did_you_mean(detail, methods)}"
            )
        return f"translate:{detail}"
    if kind == "absolute" and not colon:
        return "absolute"
    raise UsageError(
        f"--via {text!r} is no way to compare: give relative, relative:SIMILARITY, translate:METHOD or absolute."
        f"{did_you_mean(kind, ('relative', 'translate', 'absolute'))}"
    )


@dataclass(frozen=True)
class Via:
    """What carries rows of x and rows of y to where they may be compared: [b, dx] and [b, dy] -> [b, width]."""

    name: str
    x: Projection
    y: Projection


def as_it_is(v: Floats) -> Floats:
    """Return v."""
    return v


def make_via(name: str, x: Floats, y: Floats, *, scaling: str = "global") -> Via:
    """
    Return the method of that name for anchors x [a, dx] and y [a, dy]; a translation carries x to y.

    `scaling` is that of the translations. Absolute vectors need one width on both sides.
    """
    kind, _, detail = name.partition(":")
    if kind == "absolute":
        return Via(name, as_it_is, as_it_is)
    if kind == "relative":
        similarity = detail or "cosine"
        return Via(name, RelativeProjection(x, similarity), RelativeProjection(y, similarity))
    return Via(name, translation.fit_translation(x, y, method=detail, scaling=scaling), as_it_is)
