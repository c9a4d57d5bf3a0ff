"""The Python interface: the commands' tasks on paths, arrays or Spaces. Each is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relcli.api.choosing import anchors_check, anchors_choose
    from relcli.api.classifying import classify
    from relcli.api.comparing import compare, make_options
    from relcli.api.inspecting import inspect
    from relcli.api.matching import match
    from relcli.api.projecting import project, save_space
    from relcli.api.recommending import recommend
    from relcli.api.retrieving import chosen_queries, retrieve, wanted_queries
    from relcli.api.sources import Reading, Source, open_both, open_space, wanted_anchors
    from relcli.api.stitching import stitch, stitch_apply
    from relcli.api.studying import matrix, sweep
    from relcli.api.translating import translate_apply, translate_fit
    from relcli.formats.maps import load_map, save_map

__all__ = [
    "Reading", "Source", "anchors_check", "anchors_choose", "chosen_queries", "classify", "compare", "inspect",
    "load_map", "make_options", "match", "matrix", "open_both", "open_space", "project", "recommend", "retrieve",
    "save_map", "save_space", "stitch", "stitch_apply", "sweep", "translate_apply", "translate_fit", "wanted_anchors",
    "wanted_queries",
]  # fmt: skip

#: The module of each name.
_FROM = {
    "relcli.api.choosing": ("anchors_check", "anchors_choose"),
    "relcli.api.classifying": ("classify",),
    "relcli.api.comparing": ("compare", "make_options"),
    "relcli.api.inspecting": ("inspect",),
    "relcli.api.matching": ("match",),
    "relcli.api.projecting": ("project", "save_space"),
    "relcli.api.recommending": ("recommend",),
    "relcli.api.retrieving": ("chosen_queries", "retrieve", "wanted_queries"),
    "relcli.api.sources": ("Reading", "Source", "open_both", "open_space", "wanted_anchors"),
    "relcli.api.stitching": ("stitch", "stitch_apply"),
    "relcli.api.studying": ("matrix", "sweep"),
    "relcli.api.translating": ("translate_apply", "translate_fit"),
    "relcli.formats.maps": ("load_map", "save_map"),
}


def __getattr__(name: str) -> Any:
    for module, names in _FROM.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
