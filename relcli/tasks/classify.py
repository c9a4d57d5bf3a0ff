"""Rows of one model given classes by another model's vectors of them, through coupled anchors: ASIF, and baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.probe import faults
from relcli.arrays import ExactProduct, Floats, on_grid, unit_rows
from relcli.engines.engine import Engine, Progress
from relcli.errors import AnchorError, DataError, IdError, UsageError, VectorError, check_choice, first_few
from relcli.evaluation.policies import check_policies, policies_of
from relcli.evaluation.steadily import Steadily
from relcli.evaluation.vias import Way, make_via, parse_way
from relcli.measures.interval import LEVEL, rate_interval
from relcli.measures.prediction import ClassFigures, Codes, figures_of_counts, macro_f1, weighted_f1
from relcli.reports.classification import Classification
from relcli.reports.report import Interval, Score
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, choose_anchors, find_anchors, rows_of
from relcli.spaces.pairing import Ids, Index, Mask, PairedSpaces, hash_ids, unique_rows
from relcli.spaces.relative import anchor_facts, check_same_frame, sparsified
from relcli.spaces.space import Projection, Space

ASIF = "asif"

#: Methods where labels can tell how each does; without labels, the first.
VIAS = (ASIF, "relative", "translate:ortho")

#: Powers that are tried; numbers kept are all, half, a quarter … of the anchors.
POWERS = (1, 2, 4, 6, 8)

#: Anchors are held out in this many parts, up to so many of them in all.
FOLDS, HELD_OUT = 5, 1000

#: Classes that are looked at for a right one, where there are more.
DEPTH = 5

TUNING = ("pairs", "labels")

#: Similarities of a block of rows, all at once.
_BLOCK_NUMBERS = 2**22

_ASIF_CITE = "Norelli et al. 2023, arXiv:2210.01738"

_DEFINITIONS = {
    "accuracy": "share of the labelled rows that are given their own class",
    "accuracy@5": "share of the labelled rows whose own class is among the 5 nearest",
    "weighted-f1": "mean F1 of the classes, each weighted by its labelled rows",
    "macro-f1": "mean F1 of the classes that some row has or is given, each alike",
}


@dataclass(frozen=True)
class Options:
    """
    How to classify: `via` asif, relative…, translate:METHOD or absolute, the first of which the predictions are by.

    `sparse` are the k and p of asif; without them they are chosen on held-out anchors, by which their own pair is
    found (`tune` "pairs") or their label is (`tune` "labels"). `center` subtracts the anchors' mean on either side
    from what asif and relative see.
    """

    via: tuple[str, ...] | None = None
    sparse: tuple[int, float] | None = None
    tune: str = "pairs"
    center: bool = False
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"
    missing_labels: str = "error"

    def __post_init__(self) -> None:
        if self.via is not None:
            named = [name if name == ASIF else parse_way(name).name for name in map(str.strip, self.via)]
            object.__setattr__(self, "via", tuple(dict.fromkeys(named)))
        if self.sparse is not None and not (self.sparse[0] >= 1 and 0 < self.sparse[1] < np.inf):
            raise UsageError(
                f"--sparse {self.sparse[0]},{self.sparse[1]:g} keeps k similarities raised to p: k is 1 or more, p "
                "above 0, such as 100,8."
            )
        check_choice("tune", self.tune, TUNING)
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is too small: it is 0 or more.")
        check_policies(self)

    def vias(self, *, labelled: bool) -> tuple[str, ...]:
        """Return the methods that were asked for, or those that there is a use for."""
        return self.via or (VIAS if labelled else VIAS[:1])


@dataclass(frozen=True)
class Prototypes:
    """
    Which vectors stand for the classes: rows of `space`, in y's space.

    `ids` [t] name them and `classes` [t] say of which class each is; without them every row is a class of its own,
    of y itself (`space` None) those that are neither anchors nor share an id with x.
    """

    space: Space | None = None
    ids: Ids | None = None
    classes: Ids | None = None
    source: str = ""


@dataclass(frozen=True)
class Rows:
    """Which rows to classify: those of x that `ids` name, all of another `space` of x's model, or all of x."""

    ids: Ids | None = None
    space: Space | None = None
    source: str = "all of x"


@dataclass(frozen=True)
class Labels:
    """The right class of some rows: `ids` [n], a text of each [n], and where they came from."""

    ids: Ids
    values: Ids
    source: str


@dataclass(frozen=True)
class Predictions:
    """
    Some rows by the first method: `ids` [b], codes of the class and the runner-up [b] among `names`, cosines [b].

    `margin` is how far the score is above the runner-up's. `labels` [b] are codes too, −1 where there is none; None
    where no labels were given.
    """

    names: Sequence[str]
    ids: Ids
    codes: Codes
    seconds: Codes
    scores: Floats
    margins: Floats
    labels: Codes | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> list[str]:
        """The class [b] of each row."""
        return [self.names[code] for code in self.codes]

    def columns(self) -> dict[str, list[Any]]:
        """Return id, class, score, margin and runner_up, and the label where labels were given."""
        columns: dict[str, list[Any]] = {
            "id": self.ids.tolist(),
            "class": self.classes,
            "score": self.scores.tolist(),
            "margin": self.margins.tolist(),
            "runner_up": [self.names[code] for code in self.seconds],
        }
        if self.labels is not None:
            columns["label"] = [self.names[code] if code >= 0 else None for code in self.labels]
        return columns


def classify(
    x: Space,
    y: Space,
    prototypes: Prototypes,
    anchors: AnchorList | AnchorChoice,
    options: Options,
    *,
    engine: Engine,
    rows: Rows | None = None,
    labels: Labels | None = None,
    take: Callable[[Predictions], None] | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Classification:
    """
    Return how rows of x [n, dx] fare when each is given the class whose prototypes, in y's space, are nearest.

    Anchors are rows of x and rows of y that belong together; they are never classified. Predictions go to `take`, a
    batch at a time in the order of the rows. x is read once, in batches; keeps the anchors, the prototypes and a few
    numbers a row.
    """
    classifier = _Classifier(x, y, prototypes, anchors, options, rows or Rows(), labels)
    classifier.run(engine, take, progress)
    return classifier.report()


@dataclass(frozen=True)
class _Nearest:
    """
    Return, for rows v [b, d], codes [b, m, t] of the t nearest classes by each of m methods, then their cosines.

    Flat, [b, 2·m·t]; NaN for a row with NaN, infinite numbers or only zeros. Equal cosines go by the order of the
    classes, and a row has the same of them in every batch.
    """

    carriers: tuple[Projection, ...]
    classes: tuple[Floats, ...]
    depth: int

    @property
    def dim(self) -> int:
        """The numbers of a row."""
        return 2 * len(self.carriers) * self.depth

    @cached_property
    def _products(self) -> tuple[ExactProduct, ...]:
        return tuple(map(ExactProduct, self.classes))

    def __call__(self, v: Floats) -> Floats:
        found = np.full((len(v), 2, len(self.carriers), self.depth), np.nan)
        good = np.flatnonzero(~np.any(faults(v), axis=0))
        step = max(1, _BLOCK_NUMBERS // max(sum(part.shape) for part in self.classes))
        for start in range(0, len(good), step):
            at = good[start : start + step]
            for place, (carry, product) in enumerate(zip(self.carriers, self._products, strict=True)):
                cosines = on_grid(product(unit_rows(carry(v[at]))))
                for rank in range(self.depth):
                    # the first of equal ones
                    nearest = cosines.argmax(axis=1)
                    found[at, 0, place, rank] = nearest
                    found[at, 1, place, rank] = cosines[np.arange(len(at)), nearest]
                    cosines[np.arange(len(at)), nearest] = -np.inf
        return found.reshape(len(v), self.dim)


class _Tally:
    """Of one method: the rows given each class, those that are rightly, those of it, and the right ones in depth."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self.predicted = np.zeros(classes, np.int64)
        self.right, self.named, self.support = (np.zeros(classes, np.int64) for _ in range(3))
        self.within = 0

    def add(self, nearest: Codes, labels: Codes | None) -> None:
        """Take in codes [b, t], nearest first, and labels [b], −1 where a row has none."""

        def counted(codes: Codes) -> Codes:
            return np.bincount(codes, minlength=self._classes)

        self.predicted += counted(nearest[:, 0])
        if labels is None:
            return
        known = labels >= 0
        nearest, labels = nearest[known], labels[known]
        self.named += counted(nearest[:, 0])
        self.support += counted(labels)
        self.right += counted(labels[nearest[:, 0] == labels])
        self.within += int((nearest == labels[:, None]).sum())

    @property
    def scored(self) -> int:
        """The rows with a label."""
        return int(self.support.sum())

    @property
    def figures(self) -> ClassFigures:
        """Precision, recall and F1 of each class."""
        return figures_of_counts(self.right, self.named, self.support)


class _Classifier:
    """What is settled before any row is read, and what is counted as they are."""

    def __init__(
        self,
        x: Space,
        y: Space,
        prototypes: Prototypes,
        anchors: AnchorList | AnchorChoice,
        options: Options,
        rows: Rows,
        labels: Labels | None,
    ) -> None:
        self.x, self.y, self.options, self.wanted = x, y, options, anchors
        self.notes: list[str] = []
        self.given, self.space = prototypes, prototypes.space or y
        self.rows, self.source = rows, labels.source if labels else None
        self._check_spaces()
        self.vias = options.vias(labelled=labels is not None)
        self.frame = self._anchors()
        self._prototypes()
        self._settle_rows()
        self.labels = self._label_codes(labels) if labels else None
        self.sparse = self._sparse(labels) if ASIF in self.vias else {}
        self.nearest = self._nearest()
        self.tallies = [_Tally(len(self.names)) for _ in self.vias]

    def _check_spaces(self) -> None:
        check_same_frame(self.x, self.y)
        if self.space.dim != self.y.dim:
            raise VectorError(
                f"Prototypes of {self.space.name} have {self.space.dim:,} dimensions, {self.y.name} has "
                f"{self.y.dim:,}: they must be vectors of one model. Name that model's dump of the prototypes."
            )
        check_same_frame(self.y, self.space)
        if self.rows.space is not None:
            if self.rows.space.dim != self.x.dim:
                raise VectorError(
                    f"Rows of {self.rows.space.name} have {self.rows.space.dim:,} dimensions, {self.x.name} has "
                    f"{self.x.dim:,}: they must be vectors of one model. Name that model's dump of the rows."
                )
            check_same_frame(self.x, self.rows.space)
        if "absolute" in (self.options.via or ()) and self.x.dim != self.y.dim:
            raise VectorError(
                f"--via absolute compares coordinates, and x has {self.x.dim:,} dimensions, y {self.y.dim:,}. Use "
                "asif, relative or translate:ortho."
            )

    def _anchors(self) -> Anchors:
        wanted, options = self.wanted, self.options
        if isinstance(wanted, AnchorList):
            return find_anchors(
                PairedSpaces.unjoined(self.x, self.y),
                wanted.x_ids,
                wanted.y_ids,
                missing=options.missing_anchors,  # type: ignore[arg-type]
            )
        pair = PairedSpaces.join(self.x, self.y, on_duplicate=options.on_duplicate)  # type: ignore[arg-type]
        if self.given.space is None and self.given.ids is not None:
            # a prototype among the anchors would stand for the class of its own pair
            pair = pair.take(~np.isin(self.y.ids[pair.rows_y], self.given.ids))
        return choose_anchors(pair, wanted.strategy, wanted.count, seed=options.seed, labels=wanted.labels)

    def _prototypes(self) -> None:
        """Keep the prototypes [t, dy], the names of the classes in order, and the code of each prototype [t]."""
        space, given = self.space, self.given
        classes = given.classes
        if given.ids is not None:
            self._check_named(given.ids)
            at = rows_of(space, given.ids)
        elif given.space is not None:
            at = np.arange(len(space))
        else:
            at = np.flatnonzero(~(np.isin(space.ids, self.frame.y_ids) | np.isin(space.ids, self.x.ids)))
        if not len(at):
            raise DataError(
                f"No prototypes are left: all {len(space):,} rows of {space.name} are anchors or share an id with "
                f"{self.x.name}. Say which rows stand for the classes with --classes FILE."
            )
        self.prototype_ids = space.ids[at]
        values, times = np.unique(self.prototype_ids, return_counts=True)
        if len(values) < len(at):
            raise IdError(
                f"{int((times > 1).sum()):,} prototypes stand more than once in {space.name}: "
                f"{first_few(list(values[times > 1]))}. Give each prototype one row."
            )
        of_each = self.prototype_ids if classes is None else classes
        self.names = list(dict.fromkeys(of_each.tolist()))
        if len(self.names) < 2:
            raise DataError(
                f"All {len(at):,} prototypes are of one class, {self.names[0]!r}: there is nothing to choose between. "
                "Give prototypes of two classes or more."
            )
        code = {name: number for number, name in enumerate(self.names)}
        self.codes = np.array([code[name] for name in of_each.tolist()], np.int64)
        self.prototypes = space.read(at)
        bad = np.any(faults(self.prototypes), axis=0)
        if bad.any():
            raise VectorError(
                f"{int(bad.sum()):,} prototypes of {space.name} hold NaN, infinite numbers or only zeros: "
                f"{first_few(list(self.prototype_ids[bad]))}. Mend them, or name others with --classes."
            )
        if not space.origin.ids_given and given.ids is None:
            self.notes.append(f"{space.name} has no ids: its classes are called by the numbers of their rows")
        inside = int(np.isin(self.prototype_ids, self.frame.y_ids).sum()) if given.space is None else 0
        if inside:
            self.notes.append(f"{inside:,} prototypes are anchors too: each is nearest to itself")

    def _check_named(self, ids: Ids) -> None:
        source, space = self.given.source, self.space
        values, times = np.unique(ids, return_counts=True)
        if len(values) < len(ids):
            raise IdError(
                f"{source} names {int((times > 1).sum()):,} prototypes more than once: "
                f"{first_few(list(values[times > 1]))}. Give each one class."
            )
        if self.given.classes is not None and (self.given.classes == "").any():
            without = ids[self.given.classes == ""]
            raise IdError(
                f"{source} gives {len(without):,} prototypes no class: {first_few(list(without))}. Give each one."
            )
        unknown = ids[rows_of(space, ids) < 0]
        if len(unknown):
            raise IdError(
                f"{source} names {len(unknown):,} of {len(ids):,} prototypes that {space.name} does not hold: "
                f"{first_few(list(unknown))}; its ids are like {str(space.ids[0])!r}. Make the ids match."
            )

    def _settle_rows(self) -> None:
        """Keep the space of the rows to classify and which of them are not to be."""
        source = self.rows.space or self.x
        kept, self.duplicates = unique_rows(source, self.options.on_duplicate)  # type: ignore[arg-type]
        if self.rows.ids is not None:
            at = rows_of(source, self.rows.ids)
            unknown = self.rows.ids[at < 0]
            if len(unknown):
                raise IdError(
                    f"{self.rows.source} names {len(unknown):,} of {len(at):,} rows that {source.name} does not hold: "
                    f"{first_few(list(unknown))}. Make the ids match."
                )
            kept, self.duplicates = np.intersect1d(kept, at), 0
        self.total = len(kept) if self.rows.ids is not None else len(source)
        self.queries = source if len(kept) == len(source) else source.take(np.sort(kept))
        ids = self.queries.ids
        # row numbers of another dump name other samples
        same = source is self.x or source.origin.ids_given
        self.is_anchor = np.isin(ids, self.frame.x_ids) & same
        own = self.given.space is None and same
        # the other side of a prototype is no unseen row
        self.is_prototype = np.isin(ids, self.prototype_ids) & ~self.is_anchor if own else np.zeros(len(ids), bool)
        if not (~self.is_anchor & ~self.is_prototype).any():
            raise DataError(
                f"No row is left to classify: all {len(ids):,} are anchors or prototypes. Give fewer anchors, or rows "
                "of their own with --rows."
            )

    def _label_codes(self, labels: Labels) -> Codes:
        """Return the code of each row's label, −1 where it is not to be scored."""
        if not len(labels.ids):
            raise IdError(f"{labels.source} holds no labels. Leave out --labels to predict alone.")
        codes = self._codes_of(labels, self.queries.ids)
        wanted = ~self.is_anchor & ~self.is_prototype
        told = self.options.missing_labels == "drop"
        for code, what in ((-1, "have no label"), (-2, "have a label that no prototype is of")):
            lost = wanted & (codes == code)
            if not lost.any():
                continue
            if lost.sum() == wanted.sum():
                named = first_few(list(dict.fromkeys(labels.values.tolist())), 3)
                raise IdError(
                    f"None of the {int(wanted.sum()):,} rows can be scored: they {what} in {labels.source}. Its ids "
                    f"are like {str(labels.ids[0])!r} and those of the rows like {str(self.queries.ids[0])!r}; its "
                    f"labels are like {named} and the classes like {first_few(self.names, 3)}. Make them match."
                )
            if not told:
                raise IdError(
                    f"{int(lost.sum()):,} of {int(wanted.sum()):,} rows {what} in {labels.source}: "
                    f"{self._examples(lost, labels, code)}. Mend them, or leave them out of the figures with "
                    "--missing-labels drop."
                )
            self.notes.append(f"{int(lost.sum()):,} rows {what} and are not scored")
        codes = np.where(wanted, codes.clip(min=-1), -1)
        if not (codes >= 0).any():
            raise IdError(f"No row can be scored: {labels.source} has no label of a class for any. Make them match.")
        missing = np.setdiff1d(np.arange(len(self.names)), codes[codes >= 0])
        if len(missing):
            self.notes.append(
                f"{len(missing):,} classes have no labelled row: {first_few([self.names[code] for code in missing])}"
            )
        return codes

    def _examples(self, lost: Mask, labels: Labels, code: int) -> str:
        if code == -1:
            return first_few(list(self.queries.ids[lost]))
        strange = [value for value in dict.fromkeys(labels.values.tolist()) if value and value not in set(self.names)]
        return f"{first_few(strange)}; the classes are {first_few(self.names)}"

    def _codes_of(self, labels: Labels, ids: Ids) -> Codes:
        """Return the code of the label of each id [n], −1 where there is none, −2 where no class is called so."""
        order = np.argsort(labels.ids, kind="stable")
        known = labels.ids[order]
        again = known[1:][known[1:] == known[:-1]]
        repeated = np.intersect1d(again, ids)
        if len(repeated):
            raise IdError(
                f"{labels.source} gives {len(repeated):,} ids more than one label: {first_few(list(repeated))}. Give "
                "each one."
            )
        code = {name: number for number, name in enumerate(self.names)} | {"": -1}
        codes = np.array([code.get(value, -2) for value in labels.values.tolist()], np.int64)
        at = order[np.searchsorted(known, ids).clip(max=len(known) - 1)]
        return np.where(labels.ids[at] == ids, codes[at], -1)

    def _sparse(self, labels: Labels | None) -> dict[str, Any]:
        """Return the k and p of asif, and how they were come by."""
        options, count = self.options, len(self.frame)
        if options.sparse is not None:
            k, power = options.sparse
            if k > count:
                raise UsageError(
                    f"--sparse {k},{power:g} keeps {k:,} similarities, and there are {count:,} anchors. Keep fewer, or "
                    "give more anchors."
                )
            return {"k": k, "p": power, "source": "given", "measure": None, "queries": 0, "folds": 0, "grid": []}
        truth = None
        if options.tune == "labels":
            truth = self._anchor_labels(labels)
        return _chosen(self.frame, options, self.prototypes, self.codes, truth)

    def _anchor_labels(self, labels: Labels | None) -> Codes:
        if labels is None:
            raise UsageError("--tune labels goes by the anchors' labels, and there are none. Give --labels FILE.")
        codes = self._codes_of(labels, self.frame.x_ids)
        without = codes < 0
        if without.any():
            raise IdError(
                f"{int(without.sum()):,} of {len(codes):,} anchors have no label of a class in {labels.source}: "
                f"{first_few(list(self.frame.x_ids[without]))}. Label them, or leave out --tune labels."
            )
        return codes

    def _way(self, name: str) -> Way:
        if name == ASIF:
            return Way("relative", "cosine", self.options.center, None, (self.sparse["k"], self.sparse["p"]))
        way = parse_way(name)
        if way.sparse is not None and way.sparse[0] > len(self.frame):
            raise UsageError(
                f"--via {name} keeps {way.sparse[0]:,} similarities, and there are {len(self.frame):,} anchors. Keep "
                "fewer."
            )
        return replace(way, center=way.center or (self.options.center and way.kind == "relative"))

    def _nearest(self) -> _Nearest:
        vias = [make_via(self._way(name), self.frame.x, self.frame.y) for name in self.vias]
        classes = tuple(class_rows(via.y(self.prototypes), self.codes, len(self.names)) for via in vias)
        # relative rows are exact; a map must not give a row other bits in another batch
        carriers = tuple(Steadily(via.x) if via.name.startswith("translate:") else via.x for via in vias)
        return _Nearest(carriers, classes, min(DEPTH, len(self.names)))

    def run(
        self,
        engine: Engine,
        take: Callable[[Predictions], None] | None,
        progress: Callable[[str, int], Progress] | None,
    ) -> None:
        """Read the rows, hand over what is predicted of them, and count."""
        nearest, wanted = self.nearest, ~self.is_anchor & ~self.is_prototype
        seen = self.queries.map(nearest, dim=nearest.dim)
        self.bad: list[str] = []
        self.bad_count = self.classified = start = 0
        for found in engine.stream(seen, progress and progress("classifying", len(seen))):
            rows = np.arange(start, start + len(found))
            start += len(found)
            odd = np.isnan(found[:, 0]) & wanted[rows]
            self.bad_count += int(odd.sum())
            self.bad += self.queries.ids[rows[odd]].tolist()[: max(0, 6 - len(self.bad))]
            kept = wanted[rows] & ~odd
            if kept.any():
                self._take(found[kept].reshape(-1, 2, len(self.vias), nearest.depth), rows[kept], take)
        if self.bad_count and self.options.on_bad == "error":
            raise VectorError(
                f"{self.bad_count:,} rows of {self.queries.name} hold NaN, infinite numbers or only zeros: "
                f"{first_few(self.bad)}. Mend them, or leave them out with --on-bad drop."
            )
        if not self.classified:
            raise VectorError(f"All {self.bad_count:,} rows hold NaN, infinite numbers or only zeros: none is left.")
        if self.labels is not None and not self.tallies[0].scored:
            raise DataError("No row with a label is left to score. Mend the bad rows.")

    def _take(self, found: Floats, rows: Index, take: Callable[[Predictions], None] | None) -> None:
        codes, cosines = found[:, 0].astype(np.int64), found[:, 1]
        labels = self.labels[rows] if self.labels is not None else None
        self.classified += len(rows)
        for place, tally in enumerate(self.tallies):
            tally.add(codes[:, place], labels)
        if take is not None:
            first, margin = cosines[:, 0, 0], cosines[:, 0, 0] - cosines[:, 0, 1]
            take(Predictions(self.names, self.queries.ids[rows], codes[:, 0, 0], codes[:, 0, 1], first, margin, labels))

    def report(self) -> Classification:
        """Return the figures of what was counted."""
        labelled = self.labels is not None
        chance = self._chance() if labelled else {}
        return Classification(
            x=self.x.facts(),
            y=self.y.facts(),
            prototypes={
                "space": self.space.facts(),
                "source": self.given.source,
                "count": len(self.codes),
                "classes": len(self.names),
            },
            anchors=anchor_facts(self.frame, self.wanted),
            rows={
                "source": self.rows.source,
                "total": self.total,
                "classified": self.classified,
                "scored": self.tallies[0].scored,
                "anchors": int(self.is_anchor.sum()),
                "prototypes": int(self.is_prototype.sum()),
                "duplicates": self.duplicates,
                "bad": self.bad_count,
            },
            sparse=self.sparse,
            scores=tuple(score for place in range(len(self.vias)) for score in self._scores(place, chance))
            if labelled
            else (),
            classes=tuple(entry for place in range(len(self.vias)) for entry in self._classes(place, labelled)),
            chance=chance,
            settings={
                **{name: getattr(self.options, name) for name in ("tune", "center", "seed")},
                **policies_of(self.options),
                "via": list(self.vias),
                "sparse": list(self.options.sparse) if self.options.sparse else None,
                "labels": self.source,
            },
            versions=versions(),
            notes=tuple(self._notes()),
        )

    def _chance(self) -> dict[str, Any]:
        """Return what guessing reaches: always the commonest label, or any class alike."""
        tally = self.tallies[0]
        support, classes = tally.support, len(self.names)
        common = np.zeros(classes, np.int64)
        common[support.argmax()] = tally.scored
        always = figures_of_counts(np.minimum(common, support), common, support)
        majority = {
            "accuracy": float(support.max() / tally.scored),
            "accuracy@5": float(np.sort(support)[-DEPTH:].sum() / tally.scored),
            "weighted-f1": weighted_f1(always),
            "macro-f1": macro_f1(always),
        }
        uniform = {"accuracy": 1 / classes, "accuracy@5": min(DEPTH / classes, 1.0)}
        return {"majority": majority, "uniform": uniform}

    def _scores(self, place: int, chance: dict[str, Any]) -> list[Score]:
        tally, via = self.tallies[place], self.vias[place]
        values = {"accuracy": float(tally.right.sum() / tally.scored)}
        if len(self.names) > DEPTH:
            values["accuracy@5"] = tally.within / tally.scored
        figures = tally.figures
        values |= {"weighted-f1": weighted_f1(figures), "macro-f1": macro_f1(figures)}
        return [
            Score(
                measure=name,
                view=via,
                value=value,
                interval=Interval(*rate_interval(value, tally.scored), LEVEL, "Wilson score of the rows")
                if name.startswith("accuracy")
                else None,
                chance=chance["majority"][name],
                pairs=tally.scored,
                gallery=len(self.names),
                range=(0.0, 1.0),
                definition=_DEFINITIONS[name],
                cite=_ASIF_CITE if via == ASIF else "",
                section="Classification",
            )
            for name, value in values.items()
        ]

    def _classes(self, place: int, labelled: bool) -> list[dict[str, Any]]:
        tally, figures = self.tallies[place], self.tallies[place].figures
        held = np.bincount(self.codes, minlength=len(self.names))
        return [
            {
                "via": self.vias[place],
                "label": name,
                "prototypes": int(held[code]),
                "predicted": int(tally.predicted[code]),
                **{
                    figure: float(getattr(figures, figure)[code]) if labelled else None
                    for figure in ("precision", "recall", "f1")
                },
                "support": int(tally.support[code]) if labelled else None,
            }
            for code, name in enumerate(self.names)
        ]

    def _notes(self) -> list[str]:
        notes = list(self.notes)
        if self.labels is not None:
            commonest = self.names[int(self.tallies[0].support.argmax())]
            notes.append(f"chance is that of the commonest label, {commonest!r}, said of every row")
        if self.sparse and self.sparse["grid"] and self.sparse["k"] == len(self.frame):
            notes.append("no k below all anchors did better on those held out: asif keeps every similarity")
        if self.sparse and self.sparse["measure"] == "accuracy":
            notes.append("k and p were chosen by the anchors' labels: this is not zero-shot")
        if self.options.center:
            notes.append("centred on the means of the anchors")
        widest = max(self.x.dim, self.y.dim)
        if len(self.frame) <= widest and any(via.startswith("translate:") for via in self.vias):
            notes.append(
                f"translations are fitted on {len(self.frame):,} anchors for up to {widest:,} dimensions: they are "
                "under-determined"
            )
        return notes


def class_rows(rows: Floats, codes: Codes, classes: int) -> Floats:
    """Return a unit row [c, w] of each class: the mean of its prototypes' unit rows [t, w]."""
    sums = np.zeros((classes, rows.shape[1]))
    np.add.at(sums, codes, unit_rows(rows))
    return unit_rows(sums)


def _chosen(frame: Anchors, options: Options, prototypes: Floats, codes: Codes, truth: Codes | None) -> dict[str, Any]:
    """
    Return the k and p by which held-out anchors do best, the smaller k and then p where several do, and the grid.

    Up to HELD_OUT anchors, those of the smallest hashed ids, are held out in parts; what is left are the anchors
    meanwhile. A part's x rows look for their own y rows among the part's (the mean of 1 / rank), or with `truth`
    for their classes among the prototypes (accuracy). k counts up to the anchors left.
    """
    count = len(frame)
    folds = min(FOLDS, count // 2)
    if folds < 2:
        raise AnchorError(
            f"{count} anchors are too few to choose k and p on some of them: it takes 4. Give more, or --sparse K,P."
        )
    order = np.lexsort((frame.x_ids, hash_ids(frame.x_ids, seed=options.seed + 0xA51F)))[:HELD_OUT]
    keep = _halvings(count)
    totals = np.zeros((len(keep), len(POWERS)))
    for held in np.array_split(order, folds):
        left = np.setdiff1d(np.arange(count), held)
        via = make_via(Way("relative", "cosine", options.center), frame.x[left], frame.y[left])
        queries = via.x(frame.x[held])
        targets = via.y(frame.y[held] if truth is None else prototypes)
        for row, k in enumerate(keep):
            kept = [sparsified(side, min(k, len(left)), 1.0) for side in (queries, targets)]
            for column, power in enumerate(POWERS):
                # powers of a multiple are multiples of powers, so a unit row may be raised and divided once more
                x, y = (unit_rows(np.sign(side) * np.abs(side) ** power) for side in kept)
                if truth is None:
                    totals[row, column] += _reciprocal_ranks(on_grid(x @ y.T)).sum()
                else:
                    nearest = on_grid(x @ class_rows(y, codes, int(codes.max()) + 1).T).argmax(axis=1)
                    totals[row, column] += (nearest == truth[held]).sum()
    means = totals / len(order)
    # sums of fractions differ in their last digits by the order of the parts
    row, column = np.argwhere(means >= means.max() - 1e-12)[0]
    grid = [
        {"k": k, "p": power, "value": float(means[row, column])}
        for row, k in enumerate(keep)
        for column, power in enumerate(POWERS)
    ]
    return {
        "k": keep[int(row)],
        "p": POWERS[int(column)],
        "source": "held-out anchors",
        "measure": "mrr" if truth is None else "accuracy",
        "queries": len(order),
        "folds": folds,
        "grid": grid,
    }


def _halvings(count: int) -> list[int]:
    """Return 1, …, a quarter, half and all of a count, ascending."""
    found = {count}
    while count > 1:
        count = -(-count // 2)
        found.add(count)
    return sorted(found)


def _reciprocal_ranks(scores: Floats) -> Floats:
    """Return 1 / rank [h] of each row's own among its scores [h, h]; the mean rank of those level with it."""
    own = np.diag(scores)[:, None]
    above, level = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return 1 / (above + (level + 1) / 2)
