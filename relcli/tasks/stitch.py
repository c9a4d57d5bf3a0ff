"""Heads trained on one space and tested on another: how well relative vectors and translations let them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.probe import faults
from relcli.arrays import Floats, one_blas_thread
from relcli.engines.engine import Progress
from relcli.errors import (
    AnchorError,
    DataError,
    IdError,
    JoinError,
    UsageError,
    VectorError,
    check_choice,
    did_you_mean,
    first_few,
)
from relcli.evaluation.choosing import FOLDS, choose_stitching, folds_for, parse_candidates
from relcli.evaluation.heads import decisions, nearest
from relcli.evaluation.heldout import fold_numbers
from relcli.evaluation.heldout_heads import Learnt
from relcli.evaluation.policies import check_policies
from relcli.evaluation.steadily import Steadily
from relcli.evaluation.vias import make_via, parse_way, via_name
from relcli.measures.prediction import (
    Codes,
    accuracy,
    class_figures,
    explained_share,
    mean_squared_error,
    weighted_f1,
)
from relcli.reports.recommendation import beyond_chance, told
from relcli.reports.stitching import Figure, Stitch, Stitching
from relcli.spaces.anchors import (
    AnchorChoice,
    AnchorList,
    choose_anchors,
    find_anchors,
    proportional_shares,
    rows_of,
)
from relcli.spaces.heads import KnownSpace, TrainedHeads
from relcli.spaces.pairing import Ids, Index, Mask, PairedSpaces, first_notes, hash_ids
from relcli.spaces.relative import anchor_digest, check_same_frame
from relcli.spaces.space import Space
from relcli.spaces.translation import check_translator

#: The heads of a classification, the first by default, and of a regression.
HEADS = ("svm", "logistic", "ridge", "mlp")
REGRESSION_HEADS = ("ridge",)

#: Those whose outcome depends on a seed.
SEEDED = ("svm", "mlp")

#: The way that held-out anchors choose.
AUTO = "auto"

#: What heads see of each dimension; the first by default.
SCALERS = {
    "none": "as it is",
    "standard": "its mean over the train rows subtracted, divided by its deviation",
}

TEST_SIZE = 0.3

Start = Callable[[str, int], Progress] | None


@dataclass(frozen=True)
class Options:
    """
    How to stitch: relative by each of `similarity`, translated by each of `translate` after `scaling`.

    `head` is one of HEADS, or of REGRESSION_HEADS with `regression`. Where no split is given, `test_size` of
    the rows are tested on, drawn anew for each of `seeds` seeds from `seed` up, as are anchors that are to
    be chosen. `scaler` is one of SCALERS; `transductive` standardises the test rows by their own mean and
    deviation. `via` "auto" also stitches by the way that held-out anchors choose for each pair of spaces.
    """

    similarity: tuple[str, ...] = ("cosine",)
    translate: tuple[str, ...] = ("ortho",)
    scaling: str = "global"
    head: str | None = None
    scaler: str = "none"
    regression: bool = False
    test_size: float | None = None
    transductive: bool = False
    center: bool = False
    seed: int = 0
    seeds: int = 1
    via: str | None = None
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"
    missing_labels: str = "error"

    def __post_init__(self) -> None:
        heads = REGRESSION_HEADS if self.regression else HEADS
        if self.head is None:
            object.__setattr__(self, "head", heads[0])
        if self.head not in heads:
            kind = "regression" if self.regression else "classification"
            hint = did_you_mean(str(self.head), heads)
            raise UsageError(f"--head {self.head!r} is no head for {kind}: there are {', '.join(heads)}.{hint}")
        check_choice("scaler", self.scaler, SCALERS)
        if self.transductive and self.scaler != "standard":
            raise UsageError("--transductive tells how to standardise, and nothing is. Add --scaler standard.")
        if self.test_size is not None and not 0 < self.test_size < 1:
            raise UsageError(f"--test-size {self.test_size:g} is no share between 0 and 1, such as 0.3.")
        for flag, least in (("seed", 0), ("seeds", 1)):
            if getattr(self, flag) < least:
                raise UsageError(f"--{flag} {getattr(self, flag)} is too small: it is {least} or more.")
        for method in self.translate or ("ortho",):
            check_translator(method, self.scaling)
        self._check_via()
        self.vias()
        check_policies(self)

    def _check_via(self) -> None:
        if self.via not in (None, AUTO):
            raise UsageError(
                f"--via {self.via!r} is not {AUTO}: name ways by --similarity and --translate."
                f"{did_you_mean(str(self.via), (AUTO,))}"
            )
        if self.via and self.regression:
            raise UsageError(f"--via {AUTO} counts classes that are right, and a regression has none. Drop one.")

    def own(self) -> list[str]:
        """Return the methods that heads are trained on: absolute, and relative by each similarity."""
        return list(dict.fromkeys(["absolute", *(via_name(f"relative:{name}") for name in self.similarity)]))

    def vias(self) -> list[str]:
        """Return the methods between two spaces."""
        translations = dict.fromkeys(via_name(f"translate:{method}") for method in self.translate)
        return [*self.own(), *translations, *([AUTO] if self.via else [])]


@dataclass(frozen=True)
class Labels:
    """What heads are to predict: `ids` [n], and a text of each [n] or the rows [n, t] of a space; and its source."""

    ids: Ids
    values: Ids | Space
    source: str


@dataclass(frozen=True)
class Split:
    """Which rows are for training and which for testing: `ids` [n], "train", "test" or else [n]; and its source."""

    ids: Ids
    parts: Ids
    source: str


def stitch(
    spaces: Sequence[Space],
    anchors: AnchorList | AnchorChoice,
    labels: Labels,
    options: Options,
    *,
    split: Split | None = None,
    source: str | None = None,
    keep: Callable[[TrainedHeads], None] | None = None,
    progress: Start = None,
) -> Stitching:
    """
    Return how heads trained on the train rows of each space do on the test rows of every other, and of its own.

    Rows are the ids that all spaces share. Everything fitted sees train rows and anchors alone, but for
    `transductive`. Anchors are never tested on, and chosen among the train rows. Keeps all shared rows in
    memory. Runs on one BLAS thread: equal inputs give equal figures, whatever the number of cores. The heads of the
    space called `source`, the first unless it is named, go to `keep` when all is done: those of the first seed.
    """
    if split is not None and options.test_size is not None:
        raise UsageError("--split tells which rows to test on, so --test-size has nothing to say. Drop one.")
    named = _distinct(spaces)
    saved = _saved_source(named, source, options) if keep else None
    with one_blas_thread():
        stitcher = _Stitcher(named, anchors, labels, options, split, progress)
        stitcher.saved = saved
        found = stitcher.report()
        if keep and stitcher.trained is not None:
            keep(stitcher.trained)
        return found


@dataclass(frozen=True)
class _Draw:
    """One seed: which rows are trained and tested on, and each space's anchors."""

    seed: int
    train: Mask
    test: Mask
    anchor_ids: Ids
    anchors: list[Floats]


class _Stitcher:
    """Rows that are read once; draws, heads and figures made of them."""

    def __init__(
        self,
        spaces: list[Space],
        anchors: AnchorList | AnchorChoice,
        labels: Labels,
        options: Options,
        split: Split | None,
        progress: Start,
    ) -> None:
        self.spaces, self.anchors, self.options, self.progress = spaces, anchors, options, progress
        self.source, self.split_source = labels.source, split.source if split else ""
        self.notes = first_notes(*spaces, refusing=False)
        self.choices: list[dict[str, Any]] = []
        self.doubtful: dict[str, None] = {}
        self.saved: int | None = None
        self.trained: TrainedHeads | None = None
        for other in spaces[1:]:
            check_same_frame(spaces[0], other)
        self.ids, rows = _shared(spaces, options.on_duplicate)
        self.shared = len(self.ids)
        parts = self._parts(split)
        inside = parts != "" if parts is not None else np.ones(len(self.ids), bool)
        at, known = self._labelled(labels, inside)
        kept = np.flatnonzero(known)
        self.vectors = [space.read(of_space[kept]) for space, of_space in zip(spaces, rows, strict=True)]
        good = self._good(self.ids[kept])
        if not good.all():
            self.vectors = [vectors[good] for vectors in self.vectors]
            kept = kept[good]
        self.ids, self.rows = self.ids[kept], [of_space[kept] for of_space in rows]
        self.parts = parts[kept] if parts is not None else None
        self._targets(labels, at[kept])

    def _parts(self, split: Split | None) -> Ids | None:
        """Return "train", "test" or "" for each shared id, None where no split is given."""
        if split is None:
            return None
        if not len(split.ids):
            raise IdError(f"{split.source} holds no rows. It must say train or test of each id.")
        at = _places(split.ids, self.ids, "split")
        if not (at >= 0).any():
            raise IdError(
                f"{split.source} names none of the {len(self.ids):,} shared rows: they are called like "
                f"{str(self.ids[0])!r}, its ids are like {str(split.ids[0])!r}. Give the dumps' ids (--ids FILE), "
                "or make the ids match."
            )
        said = np.where(at >= 0, np.char.lower(np.char.strip(split.parts))[at], "")
        parts = np.where(np.isin(said, ("train", "test")), said, "").astype(np.str_)
        for part in ("train", "test"):
            if not (parts == part).any():
                values = list(dict.fromkeys(split.parts.tolist()))
                raise DataError(
                    f"{split.source} marks none of the {len(self.ids):,} shared rows as {part!r}: its values are "
                    f"{first_few(values)}. It must say train and test."
                )
        outside = int((parts == "").sum())
        if outside:
            self.notes.append(f"{outside:,} shared rows are neither train nor test in {split.source} and were left out")
        return parts

    def _labelled(self, labels: Labels, inside: Mask) -> tuple[Index, Mask]:
        """Return the place of each shared id among the labels, and which rows have one and are inside the split."""
        if not len(labels.ids):
            raise IdError(f"{labels.source} holds no rows: there is nothing to predict.")
        at = _places(labels.ids, self.ids, "label")
        found = at >= 0
        if isinstance(labels.values, np.ndarray):
            found = found & (labels.values[at] != "")
        missing = inside & ~found
        if missing.any():
            if self.options.missing_labels == "error":
                raise IdError(
                    f"{int(missing.sum()):,} of {int(inside.sum()):,} rows have no label in {labels.source}: "
                    f"{first_few(list(self.ids[missing]))}. Label them, or pass --missing-labels drop."
                )
            self.notes.append(f"{int(missing.sum()):,} rows have no label and were left out")
        if not (inside & found).any():
            raise IdError(
                f"None of the {len(self.ids):,} rows has a label: they are like {str(self.ids[0])!r}, the labels' ids "
                f"like {str(labels.ids[0])!r}. Make the ids match."
            )
        return at, inside & found

    def _good(self, ids: Ids) -> Mask:
        good = np.ones(len(ids), bool)
        told = []
        for space, vectors in zip(self.spaces, self.vectors, strict=True):
            bad = np.any(faults(vectors), axis=0)
            if bad.any():
                told.append(f"{int(bad.sum()):,} rows of {space.name} ({first_few(list(ids[bad]))})")
            good &= ~bad
        if told and self.options.on_bad == "error":
            raise VectorError(
                f"{'; '.join(told)} hold NaN, infinite numbers or only zeros. Mend them, or leave them out with "
                "--on-bad drop."
            )
        if told:
            self.notes.append(f"{int((~good).sum()):,} rows with NaN, infinite numbers or only zeros were left out")
        if not good.any():
            raise VectorError("No row is left: every one holds NaN, infinite numbers or only zeros in some space.")
        return good

    def _targets(self, labels: Labels, at: Index) -> None:
        """Keep what each row's label is: codes [n] and their names, or numbers [n, t]."""
        self.names: list[str] = []
        self.y: Any
        if self.options.regression:
            values = labels.values
            self.y = values.read(at) if isinstance(values, Space) else _numbers(values[at], self.ids, labels.source)
            self._keep_finite(labels.source)
            return
        assert isinstance(labels.values, np.ndarray)
        names, codes = np.unique(labels.values[at], return_inverse=True)
        if len(names) < 2:
            raise DataError(
                f"All {len(at):,} rows have one label, {str(names[0])!r}: a head has nothing to learn. Give labels "
                "with two classes or more."
            )
        if len(names) > max(len(at) // 2, 2):
            raise DataError(
                f"{labels.source} has {len(names):,} different labels for {len(at):,} rows, such as "
                f"{first_few(list(names), 3)}: these are no classes. Name another column, or pass --regression."
            )
        self.names, self.y = names.tolist(), codes.astype(np.int64)

    def _keep_finite(self, source: str) -> None:
        odd = ~np.isfinite(self.y).all(axis=1)
        if not odd.any():
            return
        if self.options.missing_labels == "error":
            raise DataError(
                f"{int(odd.sum()):,} targets of {source} are no finite numbers: {first_few(list(self.ids[odd]))}. "
                "Mend them, or leave those rows out with --missing-labels drop."
            )
        self.notes.append(f"{int(odd.sum()):,} rows whose target is no finite number were left out")
        self.ids, self.y = self.ids[~odd], self.y[~odd]
        self.vectors = [vectors[~odd] for vectors in self.vectors]
        self.rows = [rows[~odd] for rows in self.rows]
        self.parts = self.parts[~odd] if self.parts is not None else None

    def report(self) -> Stitching:
        """Return the figures of all heads over all seeds."""
        options = self.options
        draws = [self._draw(options.seed + number) for number in range(options.seeds)]
        self._tell_of_draws(draws)
        watch = self.progress and self.progress("training heads", sum(self._work(draw) for draw in draws))
        found: dict[tuple[str, str, str], list[Any]] = {}
        for draw in draws:
            for key, figures in self._figures(draw, watch):
                found.setdefault(key, []).append(figures)
        stitches = [self._stitch(key, figures) for key, figures in sorted(found.items(), key=self._order)]
        first = draws[0]
        against = _against_ceiling(stitches)
        if any((stitch.of_ceiling or 0.0) > 1 for stitch in against if stitch.stitched):
            self.notes.append(
                "of ceiling is by what the source's head reaches in its own space: above 1 where the other space is "
                "the better one"
            )
        return Stitching(
            task="regression" if options.regression else "classification",
            head=str(options.head),
            spaces=tuple(space.facts() for space in self.spaces),
            rows={
                "shared": self.shared,
                "used": len(self.ids),
                "train": int(first.train.sum()),
                "test": int(first.test.sum()),
                "split": self.split_source or self._split_told(),
            },
            labels={"source": self.source, "classes": self.names, "dim": 1 if self.names else self.y.shape[1]},
            anchors={
                "count": len(first.anchor_ids),
                "source": _source_of(self.anchors),
                "sha256": anchor_digest(first.anchor_ids, first.anchor_ids),
            },
            stitches=against,
            chance=_summed([self._chance(draw) for draw in draws]),
            settings={
                **{name: _plain(getattr(options, name)) for name in options.__dataclass_fields__},
                **({"auto": self.choices} if self.choices else {}),
            },
            versions={**versions(), **_sklearn_version()},
            notes=(*self.notes, *self.doubtful),
        )

    def _split_told(self) -> str:
        kind = "at random" if self.options.regression else "stratified"
        return f"{self.options.test_size or TEST_SIZE:g} for testing, {kind}"

    def _draw(self, seed: int) -> _Draw:
        if self.parts is not None:
            train, test = self.parts == "train", self.parts == "test"
        else:
            test = _test_rows(self.ids, None if self.options.regression else self.y, self.options.test_size, seed)
            train = ~test
        anchor_ids = self._anchor_ids(train, seed)
        vectors = [space.read(rows_of(space, anchor_ids)) for space in self.spaces]
        return _Draw(seed, train, test & ~np.isin(self.ids, anchor_ids), anchor_ids, vectors)

    def _anchor_ids(self, train: Mask, seed: int) -> Ids:
        wanted = self.anchors
        if isinstance(wanted, AnchorList):
            if not np.array_equal(wanted.x_ids, wanted.y_ids):
                raise AnchorError(
                    f"{wanted.source} pairs ids, and stitch joins its spaces by ids that all share. List single ids."
                )
            ids = wanted.x_ids
            for other in self.spaces[1:]:
                pair = PairedSpaces.unjoined(self.spaces[0], other)
                ids = find_anchors(pair, ids, ids, missing=self.options.missing_anchors).x_ids  # type: ignore[arg-type]
            return ids
        pair = PairedSpaces.join(self.spaces[0], self.spaces[1], on_duplicate=self.options.on_duplicate)  # type: ignore[arg-type]
        pair = pair.take(np.isin(pair.ids, self.ids[train]))
        labels = wanted.labels
        if labels is None and self.names:
            labels = self.ids, np.asarray(self.names, np.str_)[self.y]
        return choose_anchors(pair, wanted.strategy, wanted.count, seed=seed, labels=labels).x_ids

    def _tell_of_draws(self, draws: list[_Draw]) -> None:
        """Raise DataError where a head could not be trained or tested; note what a reader should know of the rows."""
        for draw in draws:
            for what, rows in (("train", draw.train), ("test", draw.test)):
                if rows.sum() < 2:
                    raise DataError(
                        f"{int(rows.sum()):,} rows are left to {what} on, of {len(self.ids):,}; anchors are not tested "
                        "on. Give more rows, fewer anchors, or another split."
                    )
        if self.names:
            self._tell_of_classes(draws)
        first = draws[0]
        inside = np.isin(self.ids, first.anchor_ids)
        held = int((inside & ~first.train).sum())
        if isinstance(self.anchors, AnchorList) and held:
            self.notes.append(f"{held:,} anchors are test rows and were not tested on")
        if isinstance(self.anchors, AnchorChoice):
            self.notes.append("anchors are chosen among the train rows")
        if self.options.transductive:
            self.notes.append(
                "transductive: test rows were standardised by their own mean and deviation, which a deployed head "
                "would not know"
            )
        widest = max(space.dim for space in self.spaces)
        if self.options.translate and len(first.anchor_ids) <= widest:
            self.notes.append(
                f"translations are fitted on {len(first.anchor_ids):,} anchors for up to {widest:,} dimensions: they "
                "are under-determined"
            )
        fixed = self.parts is not None and isinstance(self.anchors, AnchorList) and self.options.head not in SEEDED
        if fixed and self.options.seeds > 1:
            self.notes.append("split, anchors and head are fixed: all seeds give the same figures")

    def _tell_of_classes(self, draws: list[_Draw]) -> None:
        only: dict[str, set[str]] = {"train": set(), "test": set()}
        for draw in draws:
            of_train, of_test = set(self.y[draw.train].tolist()), set(self.y[draw.test].tolist())
            if len(of_train) < 2:
                name = self.names[next(iter(of_train))]
                raise DataError(
                    f"All {int(draw.train.sum()):,} train rows have one label, {name!r}: a head has nothing to learn. "
                    "Take another split."
                )
            only["train"] |= {self.names[code] for code in of_train - of_test}
            only["test"] |= {self.names[code] for code in of_test - of_train}
        if only["test"]:
            self.notes.append(
                f"{len(only['test']):,} classes have no train rows, so their test rows cannot be right: "
                f"{first_few(sorted(only['test']))}"
            )
        if only["train"]:
            self.notes.append(f"{len(only['train']):,} classes have no test rows: {first_few(sorted(only['train']))}")

    def _work(self, draw: _Draw) -> int:
        return int(draw.train.sum()) * len(self.spaces) * len(self.options.own())

    def _figures(self, draw: _Draw, watch: Progress | None) -> Iterator[tuple[tuple[str, str, str], Any]]:
        """Yield what one seed gives: (source, target, via), and its figures, or a text that says why there are none."""
        own = self.options.own()
        vectors, anchors = self.vectors, draw.anchors
        means = [of_space[draw.train].mean(axis=0) for of_space in vectors]
        if self.options.center:
            vectors = [of_space - mean for of_space, mean in zip(vectors, means, strict=True)]
            anchors = [of_space - mean for of_space, mean in zip(anchors, means, strict=True)]
            means = [np.zeros_like(mean) for mean in means]
        seen = {
            (place, via): make_via(via, anchors[place], anchors[place], means=(means[place], means[place])).x(
                vectors[place]
            )
            for place in range(len(self.spaces))
            for via in own
        }
        heads = {}
        for (place, via), rows in seen.items():
            heads[place, via] = self._head(rows[draw.train], self.y[draw.train], draw.seed)
            if watch:
                watch(int(draw.train.sum()))
        if self.saved is not None and self.trained is None:
            self.trained = self._trained(draw, heads)
        for a, source in enumerate(self.spaces):
            for b, target in enumerate(self.spaces):
                for via in own if a == b else self.options.vias():
                    key = source.name, target.name, via
                    if a != b and via == "absolute" and source.dim != target.dim:
                        yield key, _other_width(source, target)
                        continue
                    if via == AUTO:
                        via = self._chosen(draw, a, b, vectors, anchors, means)
                        for place in (a, b) if via.startswith("relative") and (a, via) not in heads else ():
                            own_means = means[place], means[place]
                            own_anchors = anchors[place], anchors[place]
                            seen[place, via] = make_via(via, *own_anchors, means=own_means).x(vectors[place])
                        if (a, via) in seen and (a, via) not in heads:
                            heads[a, via] = self._head(seen[a, via][draw.train], self.y[draw.train], draw.seed)
                    if via.startswith("translate:"):
                        carried = make_via(via, anchors[b], anchors[a], scaling=self.options.scaling)
                        rows = Steadily(carried.x)(vectors[b][draw.test])
                        head = heads[a, "absolute"]
                    else:
                        rows, head = seen[b, via][draw.test], heads[a, via]
                    yield key, self._scored(self.y[draw.test], self._predicted(head, rows))

    def _chosen(
        self, draw: _Draw, a: int, b: int, vectors: list[Floats], anchors: list[Floats], means: list[Floats]
    ) -> str:
        """Return the way by which heads of one space know held-out anchors best from another; train rows alone tell."""
        trained = np.flatnonzero(draw.train)
        at = _places(self.ids[trained], draw.anchor_ids, "row")
        held = at >= 0
        fold = fold_numbers(draw.anchor_ids[held], folds_for(int(held.sum()), FOLDS), seed=draw.seed)
        learnt = Learnt(
            anchors[a][held], anchors[b][held], self.y[trained][at[held]], fold, vectors[a][trained], self.y[trained],
            at[held], (means[a], means[b]), self.options.scaling,
        )  # fmt: skip
        ways = parse_candidates(None, "stitching")
        choice = choose_stitching(learnt, ways, of=len(self.ids), seed=draw.seed)
        source, target = self.spaces[a].name, self.spaces[b].name
        self.choices.append({"source": source, "target": target, **asdict(choice)})
        self.notes.append(f"{source} → {target}, seed {draw.seed}: {told(choice)} (ridge head)")
        self.notes += beyond_chance(choice)
        return choice.via

    def _head(self, rows: Floats, y: Any, seed: int) -> Any:
        """Return a scikit-learn pipeline, a scaler where one is wanted and a head, trained on rows [n, d]."""
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        scaling = [StandardScaler()] if self.options.scaler == "standard" else []
        pipeline = make_pipeline(*scaling, _estimator(self.options, seed))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pipeline.fit(rows, y)
        if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
            self.doubtful[f"some {self.options.head} heads had not converged when their iterations were used up"] = None
        return pipeline

    def _predicted(self, head: Any, rows: Floats) -> Any:
        if self.options.transductive:
            from sklearn.preprocessing import StandardScaler

            head, rows = head[-1], StandardScaler().fit_transform(rows)
        values = decisions(head, rows)
        return values if self.options.regression else nearest(head, values)

    def _trained(self, draw: _Draw, heads: dict[tuple[int, str], Any]) -> TrainedHeads:
        """Return the heads of the space that is to be saved, and what applying them elsewhere needs."""
        assert self.saved is not None
        options, space = self.options, self.spaces[self.saved]
        ways = [replace(way, center=way.center or options.center) for way in map(parse_way, options.own())]
        known = [
            KnownSpace(one.name, anchors, vectors[draw.train].mean(axis=0), one.origin.sha256, one.origin.member)
            for one, anchors, vectors in zip(self.spaces, draw.anchors, self.vectors, strict=True)
        ]
        if options.seeds > 1:
            self.notes.append(f"the saved heads are those of seed {draw.seed}, the first of {options.seeds}")
        if options.via == AUTO:
            self.notes.append("the file keeps no choice of a way: name the one chosen with relcli stitch apply --via")
        return TrainedHeads(
            source=space.name,
            heads={way.name: heads[self.saved, via] for way, via in zip(ways, options.own(), strict=True)},
            classes=tuple(self.names),
            anchor_ids=draw.anchor_ids,
            spaces=tuple(known),
            scaling=options.scaling,
            about={
                "head": str(options.head),
                "dim": 1 if self.names else self.y.shape[1],
                "seed": draw.seed,
                "labels": {"source": self.source, "sha256": _digest(self.ids[draw.train], self._told(draw.train))},
                "train": {"rows": int(draw.train.sum()), "sha256": _digest(self.ids[draw.train])},
                "anchors": {
                    "count": len(draw.anchor_ids),
                    "source": _source_of(self.anchors),
                    "sha256": anchor_digest(draw.anchor_ids, draw.anchor_ids),
                },
                "sources": [
                    {name: one.facts()[name] for name in ("name", "path", "member", "sha256")} for one in self.spaces
                ],
                "settings": {name: _plain(getattr(options, name)) for name in options.__dataclass_fields__},
                "versions": {**versions(), **_sklearn_version()},
            },
        )

    def _told(self, rows: Mask) -> list[str]:
        """Return the label of each of some rows as a text, numbers without losing a bit."""
        if self.names:
            return [self.names[code] for code in self.y[rows]]
        return [" ".join(map(float.hex, row)) for row in self.y[rows].tolist()]

    def _scored(self, true: Any, predicted: Any) -> dict[str, Any]:
        if self.options.regression:
            predicted = np.asarray(predicted).reshape(true.shape)
            return {"r2": explained_share(true, predicted), "mse": mean_squared_error(true, predicted)}
        figures = class_figures(true, predicted, len(self.names))
        return {"accuracy": accuracy(true, predicted), "weighted-f1": weighted_f1(figures), "classes": figures}

    def _chance(self, draw: _Draw) -> dict[str, Any]:
        """Return what a head gets that always says what is right most often in training."""
        true = self.y[draw.test]
        if self.options.regression:
            return self._scored(true, np.broadcast_to(self.y[draw.train].mean(axis=0), true.shape))
        return self._scored(true, np.full(len(true), np.bincount(self.y[draw.train]).argmax()))

    def _stitch(self, key: tuple[str, str, str], found: list[Any]) -> Stitch:
        if isinstance(found[0], str):
            return Stitch(*key, undefined_because=found[0])
        classes = [
            {
                "label": name,
                **{
                    figure: float(np.mean([getattr(one["classes"], figure)[code] for one in found]))
                    for figure in ("precision", "recall", "f1", "support")
                },
            }
            for code, name in enumerate(self.names)
        ]
        return Stitch(*key, figures=_summed(found), classes=tuple(classes))

    def _order(self, item: tuple[tuple[str, str, str], Any]) -> tuple[int, bool, int, int]:
        """Order by source, its own space first, then by target and method as they were named."""
        names = [space.name for space in self.spaces]
        (source, target, via), _ = item
        return names.index(source), source != target, names.index(target), self.options.vias().index(via)


def _estimator(options: Options, seed: int) -> Any:
    if options.head == "svm":
        from sklearn.svm import LinearSVC

        # before scikit-learn 1.5 the default was the dual problem, whose solver seldom ends within its steps here
        return LinearSVC(dual="auto", random_state=seed)
    if options.head == "mlp":
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(random_state=seed)
    from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

    if options.head == "logistic":
        return LogisticRegression(max_iter=1000)
    return Ridge() if options.regression else RidgeClassifier()


def _saved_source(spaces: Sequence[Space], source: str | None, options: Options) -> int:
    """Return the place of the space whose heads are to be saved; UsageError where that cannot be done."""
    if options.transductive:
        raise UsageError(
            "--transductive heads need the statistics of the rows that they are to meet, and a saved head meets them "
            "one by one. Leave it out, or do not save."
        )
    names = [space.name for space in spaces]
    if source is None:
        return 0
    check_choice("save_source", source, names)
    return names.index(source)


def _digest(*columns: Sequence[str] | Ids) -> str:
    """Return the SHA-256 of rows of texts, TAB between columns, one a line."""
    lines = "".join("\t".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def _sklearn_version() -> dict[str, str]:
    import sklearn

    return {"scikit-learn": sklearn.__version__}


def _distinct(spaces: Sequence[Space]) -> list[Space]:
    """Return at least two spaces whose names differ."""
    if len(spaces) < 2:
        raise UsageError(f"{len(spaces)} dump is named, and a stitch needs two or more. Name another model's dump.")
    named: list[Space] = []
    for space in spaces:
        taken = {one.name for one in named}
        number = next(n for n in range(1, len(spaces) + 1) if _numbered(space.name, n) not in taken)
        named.append(replace(space, name=_numbered(space.name, number)))
    return named


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} ({number})"


def _shared(spaces: Sequence[Space], on_duplicate: str) -> tuple[Ids, list[Index]]:
    """Return the ids that all spaces hold, in order, and their rows in each."""
    joins = [PairedSpaces.join(spaces[0], other, on_duplicate=on_duplicate) for other in spaces[1:]]  # type: ignore[arg-type]
    ids = joins[0].ids
    for join in joins[1:]:
        ids = np.intersect1d(ids, join.ids)
    if not len(ids):
        raise JoinError(f"{', '.join(space.name for space in spaces)} share no id that all of them hold.")
    ids = np.sort(ids)
    rows = []
    for number, join in enumerate(joins):
        order = np.argsort(join.ids)
        at = order[np.searchsorted(join.ids, ids, sorter=order)]
        if not number:
            rows.append(join.rows_x[at])
        rows.append(join.rows_y[at])
    return ids, rows


def _places(known: Ids, ids: Ids, what: str) -> Index:
    """Return where each of `ids` stands among those that are known, −1 where it does not; each may stand once."""
    order = np.argsort(known, kind="stable")
    again = np.zeros(len(known), bool)
    again[1:] = known[order][1:] == known[order][:-1]
    repeated = np.intersect1d(known[order][again], ids)
    if len(repeated):
        raise IdError(f"{len(repeated):,} ids have more than one {what}: {first_few(list(repeated))}. Give each one.")
    at = order[np.searchsorted(known, ids, sorter=order).clip(max=len(known) - 1)]
    return np.where(known[at] == ids, at, -1)


def _numbers(texts: Ids, ids: Ids, source: str) -> Floats:
    """Return texts [n] as numbers [n, 1]."""
    values = np.empty((len(texts), 1))
    for row, written in enumerate(texts.tolist()):
        try:
            values[row] = float(written)
        except ValueError:
            raise DataError(
                f"{source} gives {ids[row]!s} the target {written!r}, which is no number. Name a column of numbers, or "
                "leave out --regression to predict classes."
            ) from None
    return values


def _test_rows(ids: Ids, codes: Codes | None, size: float | None, seed: int) -> Mask:
    """Return which rows to test on: those of each class with the smallest hashed ids, in proportion to its rows."""
    order = np.lexsort((ids, hash_ids(ids, seed=seed + 0x7E57)))
    strata = [order] if codes is None else [order[codes[order] == code] for code in range(int(codes.max()) + 1)]
    count = round((TEST_SIZE if size is None else size) * len(ids))
    test = np.zeros(len(ids), bool)
    for stratum, share in zip(strata, proportional_shares([len(one) for one in strata], count), strict=True):
        test[stratum[:share]] = True
    return test


def _other_width(source: Space, target: Space) -> str:
    one, other = sorted((source, target), key=lambda space: space.name)
    return (
        f"absolute: {one.name} has {one.dim} dimensions and {other.name} {other.dim}, so no head fits both as they are"
    )


def _summed(found: list[dict[str, Any]]) -> dict[str, Figure]:
    """Return each figure over the seeds."""
    return {name: Figure.of([one[name] for one in found]) for name in found[0] if name != "classes"}


def _against_ceiling(stitches: Sequence[Stitch]) -> tuple[Stitch, ...]:
    """Return the stitches with their share of what the absolute head reaches in its own space."""
    reached = {(s.source, s.target, s.via): s.figures["accuracy"].mean for s in stitches if "accuracy" in s.figures}
    ceilings = {s.source: reached.get((s.source, s.source, "absolute")) for s in stitches}
    shares = [_ratio(reached.get((s.source, s.target, s.via)), ceilings[s.source]) for s in stitches]
    return tuple(replace(s, of_ceiling=share) for s, share in zip(stitches, shares, strict=True))


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _source_of(wanted: AnchorList | AnchorChoice) -> str:
    return wanted.source if isinstance(wanted, AnchorList) else f"{wanted.strategy}:{wanted.count}"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
