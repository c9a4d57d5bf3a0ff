"""
relcli: whether, how and where two models' latent spaces agree, through relative representations.

    import relcli
    report = relcli.compare("a.npy", "b.parquet", anchors="ids.txt")
    report.score("mrr").value

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import Any

from relcli._version import VERSION as __version__

_API = (
    "anchors_check",
    "anchors_choose",
    "classify",
    "compare",
    "inspect",
    "load_map",
    "match",
    "matrix",
    "open_space",
    "project",
    "recommend",
    "retrieve",
    "save_map",
    "save_space",
    "stitch",
    "stitch_apply",
    "sweep",
    "translate_apply",
    "translate_fit",
)

__all__ = ["__version__", *_API]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in _API:
        from relcli import api

        return getattr(api, name)
    raise AttributeError(f"module 'relcli' has no attribute {name!r}")
