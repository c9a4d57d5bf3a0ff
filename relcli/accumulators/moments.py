"""Sums of products of paired rows: all that alignment and similarity structure need."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Self

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.arrays import Floats
from relcli.spaces.pairing import PairedBatch
from relcli.spaces.translation import Similarity, Translation, fit_similarity, fit_translation, widened


class CrossMoments:
    """
    Count, means, centred scatter, and the cubic and quartic sums of the scored pairs, in float64.

    All sums are about a fixed origin near the mean (the mean of the probe), so that they add up when
    merged and lose no digits when the mean is far larger than the spread.
    Keeps dx² + dy² + dx·dy + 6·(dx + dy) numbers.
    """

    _SUMS = ("count", "_x", "_y", "_xx", "_yy", "_xy", "xqx", "yqy", "xqy", "yqx", "qxx", "qyy", "qxy")

    def __init__(self, origin_x: Floats, origin_y: Floats) -> None:
        self.origin_x, self.origin_y = origin_x, origin_y
        dx, dy = len(origin_x), len(origin_y)
        self.count = 0
        self._x, self._y = np.zeros(dx), np.zeros(dy)
        self._xx, self._yy, self._xy = np.zeros((dx, dx)), np.zeros((dy, dy)), np.zeros((dx, dy))
        # Σ|x|²x, Σ|y|²y, Σ|y|²x, Σ|x|²y and Σ|x|⁴, Σ|y|⁴, Σ|x|²|y|², for the unbiased HSIC
        self.xqx, self.yqy, self.xqy, self.yqx = np.zeros(dx), np.zeros(dy), np.zeros(dx), np.zeros(dy)
        self.qxx = self.qyy = self.qxy = 0.0

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        if context.probe is None or not len(context.probe):
            return cls(np.zeros(dx), np.zeros(dy))
        return cls(context.probe.x.mean(axis=0), context.probe.y.mean(axis=0))

    def fresh(self) -> Self:
        return type(self)(self.origin_x, self.origin_y)

    def update(self, batch: PairedBatch) -> None:
        scored = slice(None) if batch.scored.all() else batch.scored
        x, y = batch.x[scored] - self.origin_x, batch.y[scored] - self.origin_y
        qx, qy = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
        self.count += len(x)
        self._x += x.sum(axis=0)
        self._y += y.sum(axis=0)
        self._xx += x.T @ x
        self._yy += y.T @ y
        self._xy += x.T @ y
        self.xqx += qx @ x
        self.yqy += qy @ y
        self.xqy += qy @ x
        self.yqx += qx @ y
        self.qxx += float(qx @ qx)
        self.qyy += float(qy @ qy)
        self.qxy += float(qx @ qy)
        self._forget()

    def merge(self, other: Self) -> None:
        for name in self._SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._forget()

    def _forget(self) -> None:
        for made in ("correlation_norm", "null_norms"):
            self.__dict__.pop(made, None)

    @property
    def sums(self) -> tuple[Floats, Floats]:
        """Σx [dx] and Σy [dy] about the origin."""
        return self._x, self._y

    @property
    def products(self) -> tuple[Floats, Floats, Floats]:
        """Σxxᵀ [dx, dx], Σyyᵀ [dy, dy] and Σxyᵀ [dx, dy] about the origin."""
        return self._xx, self._yy, self._xy

    @property
    def xx(self) -> Floats:
        """The centred scatter of x [dx, dx]."""
        return self._xx - np.outer(self._x, self._x) / max(self.count, 1)

    @property
    def yy(self) -> Floats:
        """The centred scatter of y [dy, dy]."""
        return self._yy - np.outer(self._y, self._y) / max(self.count, 1)

    @property
    def xy(self) -> Floats:
        """The centred cross-scatter [dx, dy]."""
        return self._xy - np.outer(self._x, self._y) / max(self.count, 1)

    @property
    def size_x(self) -> float:
        """The squared Frobenius norm of centred x; exactly 0 where it is nothing but rounding."""
        return self._size(self._xx, self._x, self.origin_x)

    @property
    def size_y(self) -> float:
        """The squared Frobenius norm of centred y; exactly 0 where it is nothing but rounding."""
        return self._size(self._yy, self._y, self.origin_y)

    def _size(self, products: Floats, sums: Floats, origin: Floats) -> float:
        total = float(np.trace(products))
        size = total - float(sums @ sums) / max(self.count, 1)
        noise = np.finfo(np.float64).eps ** 2 * 1e3 * self.count * float(origin @ origin)
        return size if size > 1e-13 * total + noise else 0.0

    @cached_property
    def correlation_norm(self) -> float:
        """‖Xfᵀ Yf‖_*, the nuclear norm of the cross-product of centred spaces of unit size, in [0, 1]."""
        nuclear = float(np.linalg.svd(self.xy, compute_uv=False).sum())
        return min(nuclear / np.sqrt(self.size_x * self.size_y), 1.0)


class HeldOut:
    """
    How far a map fitted on the anchors misses the pairs that are not anchors; a rotation + scale + shift for measures.

    Keeps the fitted map and 2·max(dx, dy) sums; each row costs one product with its matrix. Sums are about
    `origin` in y, the anchors' mean unless given.
    """

    _SUMS = ("count", "miss", "sum_y", "sum_fit", "square_y", "square_fit")

    def __init__(self, fit: Similarity | Translation, origin: Floats | None = None) -> None:
        self.fit = fit
        self.origin = fit.mean_y if origin is None else origin
        dim = len(fit.mean_y)
        self.count = 0
        self.miss = self.square_y = self.square_fit = 0.0
        self.sum_y, self.sum_fit = np.zeros(dim), np.zeros(dim)

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        assert context.anchors is not None, "held-out measures need anchors"
        return cls(fit_similarity(*context.anchors))

    def fresh(self) -> Self:
        return type(self)(self.fit, self.origin)

    def update(self, batch: PairedBatch) -> None:
        rows = batch.take(~batch.anchor)
        # about the anchors' mean, so that squares do not swamp differences
        y = widened(rows.y, len(self.origin)) - self.origin
        fit = self.fit(rows.x) - self.origin
        self.count += len(y)
        self.miss += float(np.sum((y - fit) ** 2))
        self.sum_y += y.sum(axis=0)
        self.sum_fit += fit.sum(axis=0)
        self.square_y += float(np.sum(y**2))
        self.square_fit += float(np.sum(fit**2))

    def merge(self, other: Self) -> None:
        for name in self._SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def variance(self) -> float:
        """Σ‖y − ȳ‖² over the rows that are not anchors; exactly 0 where it is nothing but rounding."""
        size = self.square_y - float(self.sum_y @ self.sum_y) / max(self.count, 1)
        return size if size > 1e-13 * self.square_y else 0.0


class HeldOutRidge:
    """
    How far ridge maps fitted on the anchors, from x to y and from y to x, miss the pairs that are not anchors.

    Keeps two maps [dx, dy] and 2·(dx + dy) sums; `ways` is empty where the anchors of a side are all equal.
    """

    def __init__(self, ways: dict[str, HeldOut]) -> None:
        self.ways = ways

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        assert context.anchors is not None, "held-out measures need anchors"
        x, y = context.anchors
        if any(np.ptp(side, axis=0).max() <= 1e-10 * np.abs(side).max() for side in (x, y)):
            return cls({})
        maps = {"xy": fit_translation(x, y, method="ridge"), "yx": fit_translation(y, x, method="ridge")}
        return cls({way: HeldOut(fitted) for way, fitted in maps.items()})

    def fresh(self) -> Self:
        return type(self)({way: held.fresh() for way, held in self.ways.items()})

    def update(self, batch: PairedBatch) -> None:
        if self.ways:
            rows = batch.take(~batch.anchor)
            self.ways["xy"].update(rows)
            self.ways["yx"].update(replace(rows, x=rows.y, y=rows.x))

    def merge(self, other: Self) -> None:
        for way, held in self.ways.items():
            held.merge(other.ways[way])

    @property
    def count(self) -> int:
        """How many pairs are held out."""
        return self.ways["xy"].count if self.ways else 0
