"""Options of `classify` that say what the classes are and how rows are compared with them."""

from __future__ import annotations

from typing import Annotated

import typer

from relcli.cli.inputs import in_panel

_classes, _methods, _figures = map(in_panel, ("Classes", "Methods", "Figures"))

Protos = Annotated[
    str | None,
    _classes(
        "--prototypes",
        metavar="DUMP",
        help="The second model's embeddings of the classes, such as prompts; without it, rows of Y.",
    ),
]
Classes = Annotated[
    str | None,
    _classes(
        "--classes",
        metavar="FILE[#COLUMN]",
        help="Which rows stand for classes: id, or id<TAB>class, a line; those of one class are averaged.",
    ),
]
RowsFrom = Annotated[
    str | None,
    typer.Option(
        "--rows",
        metavar="FILE",
        help="What to classify: ids of X, or a dump of new rows of its model; all of X unless given.",
    ),
]
Sparse = Annotated[
    str | None,
    _methods(
        "--sparse",
        metavar="K,P",
        help="asif keeps a row's K largest similarities to anchors, to the power P; anchors choose both unless given.",
    ),
]
Tune = Annotated[
    str,
    _methods(
        "--tune",
        metavar="pairs|labels",
        help="Choose K and P so that held-out anchors find their pair, or their class (needs --labels; not zero-shot).",
    ),
]
Via = Annotated[
    list[str] | None,
    _methods(
        "--via",
        metavar="METHOD",
        help="asif (by sparse similarities to the anchors), relative (by all of them), translate:METHOD (a map fitted "
        "on them) or absolute. The first predicts, the others are scored beside it; may be repeated.",
    ),
]
Center = Annotated[
    bool,
    _methods(
        "--center", help="Subtract the anchors' mean on either side first; helps where all vectors point one way."
    ),
]
LabelsIn = Annotated[
    str | None,
    _figures(
        "--labels",
        metavar="FILE[#COLUMN]",
        help="Right classes, to score the predictions; these are the same without them, but for --tune labels.",
    ),
]
