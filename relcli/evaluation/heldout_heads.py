"""What ridge heads trained on one space make, from the other, of anchors that were held out of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from relcli.arrays import Floats
from relcli.evaluation.carriers import by_column
from relcli.evaluation.vias import Means, Way, make_via
from relcli.spaces.pairing import Index, Mask
from relcli.spaces.similarity import SIMILARITIES, Frame
from relcli.spaces.translation import fit_translation


@dataclass(frozen=True, eq=False)
class Learnt:
    """
    All that a choice may look at before heads trained on x are tested on y.

    Anchors `x` [a, dx] and `y` [a, dy] are pairs with `codes` [a] of their classes and a `fold` [a]. `rows` [n, dx] are
    those that heads are trained on, with `row_codes` [n]; `at` [a] is where each anchor stands among them, or −1.
    """

    x: Floats
    y: Floats
    codes: Index
    fold: Index
    rows: Floats
    row_codes: Index
    at: Index
    means: Means
    scaling: str = "global"

    @cached_property
    def classes(self) -> Index:
        """All codes [c] there are."""
        return np.unique(np.concatenate([self.codes, self.row_codes]))

    @property
    def known(self) -> Index:
        """Where each anchor's code stands among the classes [a]."""
        return np.searchsorted(self.classes, self.codes)

    def trained(self, held: Mask) -> Mask:
        """Return which rows [n] a head sees that is tested on the anchors held out."""
        seen = np.ones(len(self.rows), bool)
        seen[self.at[held & (self.at >= 0)]] = False
        return seen


#: Temperatures to choose among, in units of ridge's targets, −1 and 1.
_TEMPERATURES = 2.0 ** np.arange(-6, 3.5, 0.5)


def fitted_log_likelihood(decisions: Floats, codes: Index) -> Floats:
    """
    Return the logarithm [a] of the probability of each anchor's own class, by a softmax of decisions [a, c] over T.

    The one T is that of the largest mean: ways whose decisions are of other sizes compare by how well these part
    classes (Guo et al. 2017, arXiv:1706.04599, section 4.2).
    """

    def at(temperature: float) -> Floats:
        scaled = (decisions - decisions.max(axis=1, keepdims=True)) / temperature
        own = scaled[np.arange(len(codes)), codes]
        return np.asarray(own - np.log(np.exp(scaled).sum(axis=1)))

    return max((at(temperature) for temperature in _TEMPERATURES), key=lambda values: float(values.mean()))


def held_out_decisions(way: Way, learnt: Learnt, straight: dict[int, Ridge]) -> Floats:
    """
    Return the decision values [a, c] of each anchor in y, by a head of x that was trained without its fold.

    Where it saw no row of a class, its value there is −1, the target of rows of other classes. Heads that see x as it
    is are kept in `straight`, a fold each: translations share them.
    """
    found = np.full((len(learnt.x), len(learnt.classes)), -1.0)
    columns = by_column(way) and _LearntColumns(way, learnt)
    for number in range(int(learnt.fold.max()) + 1):
        held = learnt.fold == number
        seen = learnt.trained(held)
        if columns:
            head, tested = columns.without(held, seen)
        elif way.kind == "translate":
            # the head sees x as it is, whatever brings y there
            if number not in straight:
                straight[number] = Ridge.of(learnt.rows[seen], learnt.row_codes[seen])
            head = straight[number]
            carried = fit_translation(learnt.y[~held], learnt.x[~held], method=way.detail, scaling=learnt.scaling)
            tested = carried(learnt.y[held])
        else:
            via = make_via(way, learnt.x[~held], learnt.y[~held], means=learnt.means)
            head, tested = Ridge.of(via.x(learnt.rows[seen]), learnt.row_codes[seen]), via.y(learnt.y[held])
        found[np.ix_(np.flatnonzero(held), np.searchsorted(learnt.classes, head.classes))] = head.decisions(tested)
    return found


class _LearntColumns:
    """A similarity of one anchor at a time: rows and their moments computed once, a fold's taken out of them."""

    def __init__(self, way: Way, learnt: Learnt) -> None:
        similarity = SIMILARITIES[way.detail]
        shift_x, shift_y = learnt.means if way.center else (0.0, 0.0)
        self.rows = similarity(learnt.rows - shift_x, Frame(learnt.x - shift_x, exact=False))
        self.tested = similarity(learnt.y - shift_y, Frame(learnt.y - shift_y, exact=False))
        self.codes = learnt.row_codes
        self.classes = np.unique(learnt.row_codes)
        # about the mean of all, so that taking a few rows out cancels no digits
        self.mean = self.rows.mean(axis=0)
        self.moments = self._moments(np.ones(len(self.rows), bool))

    def _moments(self, some: Mask) -> list[Floats]:
        rows, targets = self.rows[some] - self.mean, _targets(self.codes[some], self.classes)
        return [rows.T @ rows, rows.T @ targets, rows.sum(axis=0), targets.sum(axis=0)]

    def without(self, held: Mask, seen: Mask) -> tuple[Ridge, Floats]:
        """Return a head trained on the rows seen without the columns held out, and what it is tested on."""
        kept = np.flatnonzero(~held)
        gram, cross, total, count = (
            np.asarray(a - b, np.float64) for a, b in zip(self.moments, self._moments(~seen), strict=True)
        )
        size = int(seen.sum())
        gram, cross, mean = gram[np.ix_(kept, kept)], cross[kept], total[kept] / size
        middle: Floats = np.asarray(count / size, np.float64)
        head = Ridge.solved(
            gram - size * np.outer(mean, mean),
            cross - size * np.outer(mean, middle),
            mean + self.mean[kept],
            middle,
            self.classes,
        )
        return head, self.tested[np.ix_(np.flatnonzero(held), kept)]


def _targets(codes: Index, classes: Index) -> Floats:
    return np.where(codes[:, None] == classes, 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A ridge head for classes, its penalty 1 and its intercept free: what scikit-learn's RidgeClassifier is."""

    classes: Index
    weights: Floats
    intercept: Floats

    @classmethod
    def of(cls, rows: Floats, codes: Index) -> Ridge:
        """Return the head trained on rows [n, w] with their codes [n]."""
        classes = np.unique(codes)
        targets = _targets(codes, classes)
        mean, middle = rows.mean(axis=0), targets.mean(axis=0)
        centred = rows - mean
        return cls.solved(centred.T @ centred, centred.T @ (targets - middle), mean, middle, classes)

    @classmethod
    def solved(cls, gram: Floats, cross: Floats, mean: Floats, middle: Floats, classes: Index) -> Ridge:
        """Return the head for centred rows' products [w, w] with themselves and [w, c] with centred targets."""
        weights: Floats = np.linalg.solve(gram + np.eye(len(gram)), cross).astype(np.float64, copy=False)
        return cls(classes, weights, np.asarray(middle - mean @ weights, np.float64))

    def decisions(self, rows: Floats) -> Floats:
        """Return the decision values [b, c] of rows."""
        return np.asarray(rows @ self.weights + self.intercept)

    def __call__(self, rows: Floats) -> Index:
        """Return the code [b] of each row."""
        codes: Index = self.classes[np.argmax(self.decisions(rows), axis=1)]
        return codes
