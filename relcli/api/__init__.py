"""The Python interface: the commands' tasks on paths, arrays or Spaces."""

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
