"""Relative representations: each row by its similarities to the anchors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from relcli.arrays import ExactProduct, Floats, unit_rows


@dataclass(frozen=True)
class Centering:
    """Subtract `mean` [d] from every row."""

    mean: Floats

    @classmethod
    def of(cls, mean: Floats) -> Centering:
        """Return the centring at `mean`, rounded to float32 so that the order of its sum does not show."""
        return cls(mean.astype(np.float32).astype(np.float64))

    def __call__(self, v: Floats) -> Floats:
        return v - self.mean


@dataclass(frozen=True)
class RelativeProjection:
    """
    Return the cosines [b, a] of rows v [b, d] with the anchors [a, d].

    l2(v) · l2(anchors)ᵀ without centring, as in Moschella et al. 2023 (arXiv:2209.15430), eq. 2. A row
    has the same bits in every batch, on every machine. Keeps three times the anchors.
    """

    anchors: Floats

    @cached_property
    def _product(self) -> ExactProduct:
        return ExactProduct(unit_rows(self.anchors))

    def __call__(self, v: Floats) -> Floats:
        return self._product(unit_rows(v))
