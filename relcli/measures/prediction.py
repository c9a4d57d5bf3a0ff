"""How well a head predicts: shares of right classes, class by class, and what a regression leaves over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class ClassFigures:
    """
    Of each class: the share of its predictions that are right, of its rows that are found, F1, its rows [c], and
    the rows that are given it.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Codes
    named: Codes


def class_figures(true: Codes, predicted: Codes, classes: int) -> ClassFigures:
    """Return precision, recall and F1 of each class, 0 where they would divide by 0, from codes [n] below `classes`."""
    right = np.bincount(true[true == predicted], minlength=classes)
    return figures_of_counts(right, np.bincount(predicted, minlength=classes), np.bincount(true, minlength=classes))


def figures_of_counts(right: Codes, named: Codes, support: Codes) -> ClassFigures:
    """Return the figures of each class from the rows [c] that are rightly given it, given it, and of it."""
    return ClassFigures(
        _share(right, named), _share(right, support), _share(2 * right, named + support), support, named
    )


def _share(part: Codes, whole: Codes) -> Floats:
    return part / np.where(whole > 0, whole, 1)


def accuracy(true: Codes, predicted: Codes) -> float:
    """Return the share of rows whose class is right."""
    return float(np.mean(true == predicted))


def weighted_f1(figures: ClassFigures) -> float:
    """Return the mean F1 of the classes, each weighted by its rows."""
    return float(figures.f1 @ figures.support / figures.support.sum())


def macro_f1(figures: ClassFigures) -> float:
    """Return the mean F1 of the classes that some row has or is given, each alike."""
    met = (figures.support > 0) | (figures.named > 0)
    return float(figures.f1[met].mean())


def mean_squared_error(true: Floats, predicted: Floats) -> float:
    """Return the mean squared difference over all numbers of targets [n, t]."""
    return float(np.mean((true - predicted) ** 2))


def explained_share(true: Floats, predicted: Floats) -> float:
    """Return R² = 1 − Σ‖y − ŷ‖² / Σ‖y − ȳ‖² over targets [n, t]; NaN where all targets are equal."""
    left, spread = np.sum((true - predicted) ** 2), np.sum((true - true.mean(axis=0)) ** 2)
    return float(1 - left / spread) if spread > 0 else float("nan")
