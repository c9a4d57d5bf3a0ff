"""A saved head applied to the rows of a space that it may never have met, through the anchors that both share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.arrays import Floats, row_norms
from relcli.engines.engine import Engine, Progress
from relcli.errors import AnchorError, DataError, IdError, UsageError, VectorError, check_choice, first_few
from relcli.evaluation.heads import (
    Deciding,
    carrier,
    head_of,
    known_codes,
    margins,
    nearest,
    settle_way,
    width_of,
)
from relcli.evaluation.policies import check_policies
from relcli.measures.interval import LEVEL, rate_interval
from relcli.measures.prediction import Codes, figures_of_counts, weighted_f1
from relcli.reports.application import Application
from relcli.reports.report import Interval, Score
from relcli.spaces.anchors import AnchorList, rows_of
from relcli.spaces.heads import KnownSpace, TrainedHeads
from relcli.spaces.pairing import Ids, Index, Mask
from relcli.spaces.relative import anchor_digest
from relcli.spaces.space import Space


@dataclass(frozen=True)
class Options:
    """
    How to apply: `via` one of the file's ways, the first relative one unless given.

    `known` names the space of the file whose model made the rows: its anchors and mean are then those of the
    file. Rows with NaN, Inf or only zeros are an error or dropped; so are rows that are to be scored and have
    no label.
    """

    via: str | None = None
    known: str | None = None
    on_bad: str = "error"
    missing_labels: str = "drop"

    def __post_init__(self) -> None:
        check_policies(self)


@dataclass(frozen=True)
class Truth:
    """What is right: `ids` [n] and a text of each; and its source. `test` [n] are the ids to score, None for all."""

    ids: Ids
    values: Ids
    source: str
    test: Ids | None = None


@dataclass(frozen=True)
class Labelled:
    """
    What a head says of rows: `ids` [b], and decision values or predicted numbers [b, c].

    `labels` [b] are the classes, None for a regression.
    """

    ids: Ids
    values: Floats
    labels: Ids | None = None

    def columns(self) -> dict[str, list[Any]]:
        """Return the columns id, label, score and margin; or id and prediction, numbered where there are several."""
        if self.labels is None:
            names = ["prediction", *(f"prediction_{place}" for place in range(2, self.values.shape[1] + 1))]
            return {"id": self.ids.tolist(), **dict(zip(names, self.values.T.tolist(), strict=True))}
        score, margin = margins(self.values)
        return {
            "id": self.ids.tolist(),
            "label": self.labels.tolist(),
            "score": score.tolist(),
            "margin": margin.tolist(),
        }


def apply(
    heads: TrainedHeads,
    space: Space,
    options: Options,
    *,
    engine: Engine,
    anchors: AnchorList | None = None,
    truth: Truth | None = None,
    take: Callable[[Labelled], None],
    progress: Callable[[str, int], Progress] | None = None,
) -> Application:
    """
    Return how a head does on the rows of a space [n, d]; each batch of predictions goes to `take`, in order.

    The anchors of the space are its rows with the head's anchor ids, or those that `anchors` pairs with them;
    those of the file where it knows the space by name or by the SHA-256 of its files. One pass; a row has the
    same bits in every batch, with any number of workers. Anchors are never scored. Keeps a batch a worker.
    """
    return _Applier(heads, space, options, anchors, truth).run(engine, take, progress)


class _Applier:
    """What is settled before rows are read, and what is counted as they are."""

    def __init__(
        self, heads: TrainedHeads, space: Space, options: Options, anchors: AnchorList | None, truth: Truth | None
    ) -> None:
        self.heads, self.space, self.options = heads, space, options
        self.notes: list[str] = []
        self.way = settle_way(heads, options.via)
        self.head = head_of(heads, self.way)
        self.own_ids = heads.anchor_ids
        self.known = self._known(anchors)
        self._check_width()
        self.truth = truth
        self.at, self.scored = self._placed(truth)
        self.tally = _Tally(len(heads.classes)) if heads.classes else _Spread()
        self.unknown: dict[str, int] = {}
        self.predicted = np.zeros(len(heads.classes), np.int64)
        self.bad = 0
        self._tell_of_versions()

    def _known(self, anchors: AnchorList | None) -> KnownSpace:
        """Return the anchors and the mean that the way is made of: those of the file, or those in the space."""
        heads, space, said = self.heads, self.space, self.options.known
        if said is not None:
            if anchors is not None:
                raise UsageError("--known takes the anchors of the file and --anchors those of the dump. Drop one.")
            check_choice("known", said, [one.name for one in heads.spaces])
            found = next((one for one in heads.spaces if one.name == said), None)
        else:
            held = space.origin.sha256, space.origin.member
            found = next((one for one in heads.spaces if held[0] and (one.sha256, one.member) == held), None)
        if self.way.kind == "absolute" and not self.way.center:
            self.frame = "none: absolute vectors go in as they are"
            return KnownSpace(space.name, np.zeros((0, space.dim)), np.zeros(space.dim))
        if found is not None and anchors is None:
            self.frame = f"of {found.name}, as the head's file keeps them"
            return found
        return self._found(anchors)

    def _found(self, anchors: AnchorList | None) -> KnownSpace:
        """Return the anchors among the rows of the space, and their mean."""
        heads, space = self.heads, self.space
        if not space.origin.ids_given:
            raise AnchorError(
                f"{space.name} has no ids, so its anchors cannot be found. Give them with --ids or --id-column, or "
                "name the space of the file whose model made it with --known."
            )
        y_ids = heads.anchor_ids
        if anchors is not None:
            _refuse_repeated(anchors.x_ids[np.isin(anchors.x_ids, y_ids)], "of the head", anchors.source)
            pairs = dict(zip(anchors.x_ids.tolist(), anchors.y_ids.tolist(), strict=True))
            missing = [name for name in heads.anchor_ids.tolist() if name not in pairs]
            if missing:
                raise AnchorError(
                    f"{anchors.source} pairs {len(pairs):,} ids, and {len(missing):,} of the head's "
                    f"{len(heads.anchor_ids):,} anchors are not among them: {first_few(missing)}. Write "
                    "head's id<TAB>this dump's id a line."
                )
            y_ids = np.asarray([pairs[name] for name in heads.anchor_ids.tolist()], np.str_)
            _refuse_repeated(y_ids, "of the dump", anchors.source)
        rows = rows_of(space, y_ids)
        there = rows >= 0
        if not there.all():
            raise AnchorError(
                f"{int((~there).sum()):,} of the head's {len(y_ids):,} anchors are not in {space.name} "
                f"({first_few(list(y_ids[~there]))}). Give a dump that holds them all, pairs of ids with --anchors, or "
                "the space of the file whose model made it with --known."
            )
        vectors = space.read(rows)
        lengths = row_norms(vectors)
        bad = ~np.isfinite(lengths) | (lengths == 0)
        if bad.any():
            are = "is" if bad.sum() == 1 else "are"
            raise AnchorError(
                f"{int(bad.sum()):,} of the head's {len(y_ids):,} anchors {are} zero or not finite in {space.name}: "
                f"{first_few(list(y_ids[bad]))}. A head needs all of its anchors: mend those rows, or pass --known "
                f"NAME ({', '.join(one.name for one in heads.spaces)}) where that model made the dump."
            )
        self.frame, self.own_ids = "found in the dump", y_ids
        if self.way.center or any(name.endswith("+center") for name in heads.heads):
            self.notes.append("centred on the mean of the anchors: the head's file does not know this space's")
        return KnownSpace(space.name, vectors, vectors.mean(axis=0))

    def _check_width(self) -> None:
        wanted = self.heads.own.dim if self.way.kind == "absolute" else self.known.dim
        if self.space.dim == wanted:
            return
        if self.way.kind == "absolute":
            raise VectorError(
                f"--via {self.way.name} takes {wanted} dimensions, {self.space.name} has {self.space.dim}. Use --via "
                "relative or translate:ortho, which go through the anchors."
            )
        raise VectorError(
            f"{self.known.name} has {wanted} dimensions, and {self.space.name} {self.space.dim}: another model made "
            "it. Leave out --known."
        )

    def _placed(self, truth: Truth | None) -> tuple[Index, Mask]:
        """Return the place of each row's label, −1 where it has none, and which rows are to be scored."""
        rows = len(self.space)
        if truth is None:
            return np.full(rows, -1), np.zeros(rows, bool)
        width = width_of(self.heads, self.head)
        if not self.heads.classes and width > 1:
            raise UsageError(
                f"This head predicts {width} numbers a row, and labels are one each. Leave out --labels; predictions "
                "go to a file with -o."
            )
        values, counts = np.unique(truth.ids, return_counts=True)
        again = values[counts > 1]
        if len(again):
            raise IdError(f"{len(again):,} ids have more than one label: {first_few(list(again))}. Give each one.")
        if not len(values):
            raise IdError(f"{truth.source} holds no rows: there is nothing to score by.")
        order = np.argsort(truth.ids)
        at = order[np.searchsorted(truth.ids, self.space.ids, sorter=order).clip(max=len(order) - 1)]
        there = (truth.ids[at] == self.space.ids) & (truth.values[at] != "")
        asked = np.ones(rows, bool) if truth.test is None else np.isin(self.space.ids, truth.test)
        anchors = asked & np.isin(self.space.ids, self.own_ids)
        if anchors.any():
            self.notes.append(f"{int(anchors.sum()):,} anchors were not scored: heads were trained with them")
        asked &= ~anchors
        missing = asked & ~there
        if missing.any() and self.options.missing_labels == "error":
            raise IdError(
                f"{int(missing.sum()):,} of {int(asked.sum()):,} rows have no label in {truth.source}: "
                f"{first_few(list(self.space.ids[missing]))}. Label them, or pass --missing-labels drop."
            )
        if not (asked & there).any():
            raise IdError(
                f"None of the {rows:,} rows of {self.space.name} can be scored: they are like "
                f"{str(self.space.ids[0])!r}, the labels' ids like {str(truth.ids[0])!r}. Make the ids match."
            )
        if missing.any():
            self.notes.append(f"{int(missing.sum()):,} rows have no label and were not scored")
        return np.where(there, at, -1), asked & there

    def _tell_of_versions(self) -> None:
        made, here = self.heads.about.get("versions", {}).get("scikit-learn"), version("scikit-learn")
        if made and made != here:
            self.notes.append(
                f"the head was trained by scikit-learn {made} and is applied by {here}: figures may differ by "
                "rounding, or more"
            )

    def run(self, engine: Engine, take: Callable[[Labelled], None], progress: Any) -> Application:
        """Return the figures, having handed over every batch."""
        width = width_of(self.heads, self.head)
        seen = self.space.map(Deciding(carrier(self.heads, self.way, self.known), self.head, width), dim=width)
        start = 0
        for values in engine.stream(seen, progress and progress("applying", len(seen))):
            rows = slice(start, start + len(values))
            start = rows.stop
            good = ~np.isnan(values).any(axis=1)
            if not good.all():
                self._refuse(self.space.ids[rows][~good])
            labelled = self._labelled(self.space.ids[rows][good], values[good])
            self._score(labelled, values[good], self.at[rows][good], self.scored[rows][good])
            if len(labelled.ids):
                take(labelled)
        if self.bad == len(self.space):
            raise VectorError(f"All {self.bad:,} rows hold NaN, infinite numbers or only zeros: nothing is left.")
        if self.bad:
            self.notes.append(f"{self.bad:,} rows with NaN, infinite numbers or only zeros were left out")
        return self._application()

    def _refuse(self, ids: Ids) -> None:
        if self.options.on_bad == "error":
            raise VectorError(
                f"Rows of {self.space.name} hold NaN, infinite numbers or only zeros: {first_few(list(ids))}. Mend "
                "them, or leave them out with --on-bad drop."
            )
        self.bad += len(ids)

    def _labelled(self, ids: Ids, values: Floats) -> Labelled:
        if not self.heads.classes:
            return Labelled(ids, values)
        codes = nearest(self.head, values)
        self.predicted += np.bincount(codes, minlength=len(self.predicted))
        return Labelled(ids, values, np.asarray(self.heads.classes, np.str_)[codes])

    def _score(self, found: Labelled, values: Floats, at: Index, scored: Mask) -> None:
        if self.truth is None or not scored.any():
            return
        texts = self.truth.values[at[scored]]
        if isinstance(self.tally, _Spread):
            self.tally.add(_numbers(texts, found.ids[scored], self.truth.source), values[scored])
            return
        true = known_codes(self.heads.classes, texts)
        for name, times in zip(*np.unique(texts[true < 0], return_counts=True), strict=True):
            self.unknown[str(name)] = self.unknown.get(str(name), 0) + int(times)
        self.tally.add(true, nearest(self.head, values[scored]))

    def _application(self) -> Application:
        heads, space, truth = self.heads, self.space, self.truth
        if self.unknown and isinstance(self.tally, _Tally):
            count = sum(self.unknown.values())
            if count == self.tally.rows:
                raise DataError(
                    f"All {count:,} labels of {truth.source if truth else ''} are classes that the head does not know, "
                    f"{first_few(sorted(self.unknown))}: it knows {first_few(heads.classes)}. Name another column."
                )
            self.notes.append(
                f"{count:,} rows are of {len(self.unknown):,} classes that the head does not know and cannot be right: "
                f"{first_few(sorted(self.unknown))}"
            )
        made = heads.about
        return Application(
            task="regression" if isinstance(self.tally, _Spread) else "classification",
            via=self.way.name,
            x=space.facts(),
            head={
                "kind": made.get("head", ""),
                "source": heads.source,
                "dim": heads.own.dim,
                "seed": made.get("seed"),
                "sha256": made.get("sha256"),
                "classes": list(heads.classes),
            },
            anchors={
                "count": len(self.known.anchors),
                "source": self.frame,
                "sha256": anchor_digest(heads.anchor_ids, heads.anchor_ids),
            },
            rows={
                "total": len(space),
                "predicted": len(space) - self.bad,
                "scored": self.tally.rows,
                "bad": self.bad,
                "labels": truth.source if truth else None,
            },
            scores=tuple(self._scores()) if self.tally.rows else (),
            classes=tuple(self._classes()),
            settings={"via": self.way.name, "on_bad": self.options.on_bad, "known": self.options.known},
            versions={**versions(), "scikit-learn": version("scikit-learn")},
            notes=tuple(self.notes),
        )

    def _scores(self) -> Iterator[Score]:
        rows = self.tally.rows
        for measure, value in self.tally.figures().items():
            interval = None
            if measure == "accuracy" and rows > 1:
                interval = Interval(*rate_interval(value, rows), LEVEL, "Wilson score of the rows")
            yield Score(
                measure=measure,
                view=self.way.name,
                value=value,
                interval=interval,
                pairs=rows,
                range=(0.0, None) if measure == "mse" else (None, 1.0) if measure == "r2" else (0.0, 1.0),
                higher_is_closer=measure != "mse",
                definition=_DEFINITIONS[measure],
                section="Prediction",
            )

    def _classes(self) -> Iterator[dict[str, Any]]:
        if not isinstance(self.tally, _Tally):
            return
        figures = self.tally.classes() if self.tally.rows else None
        for code, name in enumerate(self.heads.classes):
            told = {figure: float(getattr(figures, figure)[code]) if figures else None for figure in _OF_CLASS}
            support = int(self.tally.support[code]) if figures else None
            yield {"label": name, "predicted": int(self.predicted[code]), **told, "support": support}


_OF_CLASS = ("precision", "recall", "f1")
_DEFINITIONS = {
    "accuracy": "share of the scored rows whose class is right",
    "weighted-f1": "mean F1 of the classes, each weighted by its scored rows",
    "r2": "1 − Σ(y − ŷ)² / Σ(y − ȳ)² over the scored rows",
    "mse": "mean squared difference over the scored rows",
}


class _Tally:
    """Rows rightly given each class, given it, and of it; those of unknown classes count as one class more."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self.right, self.named, self.support = (np.zeros(classes + 1, np.int64) for _ in range(3))

    def add(self, true: Codes, predicted: Codes) -> None:
        """Take in codes [b]; a true one of −1 is none that is known."""
        true = np.where(true < 0, self._classes, true)

        def counted(codes: Codes) -> Codes:
            return np.bincount(codes, minlength=self._classes + 1)

        self.right += counted(true[true == predicted])
        self.named += counted(predicted)
        self.support += counted(true)

    @property
    def rows(self) -> int:
        """The rows that were scored."""
        return int(self.support.sum())

    def classes(self) -> Any:
        """Return the figures of each class."""
        return figures_of_counts(self.right, self.named, self.support)

    def figures(self) -> dict[str, float]:
        """Return the figures of all rows."""
        return {"accuracy": float(self.right.sum() / self.rows), "weighted-f1": weighted_f1(self.classes())}


class _Spread:
    """Squared differences of predictions, and of targets from their mean, summed up batch by batch."""

    def __init__(self) -> None:
        self.rows, self._mean, self._left, self._spread = 0, 0.0, 0.0, 0.0

    def add(self, true: Floats, predicted: Floats) -> None:
        """Take in targets and predictions [b, 1]."""
        count, mean = len(true), float(true.mean())
        total = self.rows + count
        self._left += float(np.sum((true - predicted) ** 2))
        # two batches merged about their common mean (Chan, Golub & LeVeque 1979)
        self._spread += float(np.sum((true - mean) ** 2)) + (mean - self._mean) ** 2 * self.rows * count / total
        self._mean += (mean - self._mean) * count / total
        self.rows = total

    def figures(self) -> dict[str, float]:
        """Return R² and the mean squared error."""
        explained = 1 - self._left / self._spread if self._spread > 0 else float("nan")
        return {"r2": explained, "mse": self._left / self.rows}


def _refuse_repeated(ids: Ids, side: str, source: str) -> None:
    """Raise AnchorError where an id of one side of the pairs stands in several."""
    values, counts = np.unique(ids, return_counts=True)
    again = values[counts > 1]
    if len(again):
        raise AnchorError(
            f"{source} pairs {len(again):,} anchors {side} more than once: {first_few(list(again))}. Pair each once."
        )


def _numbers(texts: Ids, ids: Ids, source: str) -> Floats:
    """Return texts [n] as numbers [n, 1]; each must be finite."""
    values = np.empty((len(texts), 1))
    for row, written in enumerate(texts.tolist()):
        try:
            values[row] = float(written)
        except ValueError:
            values[row] = np.nan
        if not np.isfinite(values[row, 0]):
            raise DataError(f"{source} gives {ids[row]!s} the target {written!r}, which is no finite number. Mend it.")
    return values
