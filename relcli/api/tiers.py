"""Which numbers products are made of: an option of every command that multiplies rows, and a setting of its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from relcli.kernels.tiers import AUTO, using

Found = TypeVar("Found")

#: Told where no kernel was asked: few rows, multiplied as they are.
_PLAIN = "float64"


def tiered(command: Callable[..., Found]) -> Callable[..., Found]:
    """
    Return a command that takes a `tier` too: "auto", "fp32", "int8" or "bf16".

    The answer is the same to the bit; its settings tell which came to be used.
    """

    @wraps(command)
    def of_tier(*args: Any, tier: str | None = None, **options: Any) -> Found:
        with using(tier or AUTO) as used:
            found = command(*args, **options)
        told: Found = _telling(found, "+".join(sorted(used)) or _PLAIN)
        return told

    return of_tier


def _telling(found: Any, tier: str) -> Any:
    """Return an answer with the tier among its settings."""
    if hasattr(found, "retrieval"):
        return replace(found, retrieval=_telling(found.retrieval, tier))
    if "tier" in found.settings:  # studies are kept as they go, this setting with them
        return found
    return replace(found, settings={**found.settings, "tier": tier})
