"""Heads trained on one space, with all that applying them elsewhere needs: the anchors and means of known spaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relcli.arrays import Floats
from relcli.spaces.pairing import Ids


@dataclass(frozen=True, eq=False)
class KnownSpace:
    """
    A space that heads were trained on or tested on: its anchors [a, d], and the mean [d] of its train rows.

    `sha256` is that of its files, `member` what in them it is: None where that was not known.
    """

    name: str
    anchors: Floats
    mean: Floats
    sha256: str | None = None
    member: str | None = None

    @property
    def dim(self) -> int:
        """Its dimensions."""
        return int(self.mean.shape[0])


@dataclass(frozen=True, eq=False)
class TrainedHeads:
    """
    Heads trained on rows of the space `source` by each way: absolute, and relative by each similarity.

    `heads` are scikit-learn pipelines by the name of their way; those of a classification give places in
    `classes`, which are empty for a regression. `anchor_ids` [a] are the ids of the anchors of all
    `spaces`, in order; `scaling` is that of translations. `about` are JSON values: how they were made.
    """

    source: str
    heads: dict[str, Any]
    classes: tuple[str, ...]
    anchor_ids: Ids
    spaces: tuple[KnownSpace, ...]
    scaling: str = "global"
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def own(self) -> KnownSpace:
        """The space that they were trained on."""
        return next(space for space in self.spaces if space.name == self.source)
