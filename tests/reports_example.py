"""A report with every kind of score a reader may meet."""

from __future__ import annotations

import math

from relcli.reports.report import Interval, Report, Score

TOO_FEW_PAIRS = "9,841 pairs are not more than 768 + 9,216 dimensions"
DIFFERENT_WIDTHS = "x has 768 dimensions and y 1,024: rows cannot be compared across the spaces"


def _interval(value: float, half: float, method: str = "bootstrap, conditional on the gallery") -> Interval:
    return Interval(value - half, value + half, 0.95, method)


def _recall(view: str, k: int, value: float, forward: float, backward: float) -> Score:
    return Score(
        f"recall@{k}",
        view,
        value,
        forward=forward,
        backward=backward,
        interval=_interval(value, 0.0123),
        chance=k / 9841,
        pairs=2000,
        gallery=9841,
        range=(0, 1),
        definition=f"share of queries whose match ranks within {k}",
        cite="Manning et al. 2008, ch. 8",
        section="retrieval",
    )


def _undefined(measure: str, view: str, section: str, because: str, **fields: object) -> Score:
    return Score(measure, view, None, undefined_because=because, section=section, **fields)  # type: ignore[arg-type]


def _rank(view: str, value: float, half: float) -> Score:
    return Score(
        "median-rank",
        view,
        value,
        forward=value - 0.5,
        backward=value + 0.5,
        interval=_interval(value, half),
        chance=4921.0,
        pairs=2000,
        gallery=9841,
        range=(1, None),
        higher_is_closer=False,
        definition="median rank of the match",
        section="retrieval",
    )


def _jaccard(view: str, value: float) -> Score:
    return Score(
        "jaccard@10",
        view,
        value,
        interval=_interval(value, 0.0061),
        chance=0.000535,
        pairs=2000,
        gallery=9841,
        range=(0, 1),
        definition="mean |N_x ∩ N_y| / |N_x ∪ N_y| of the 10 nearest rows",
        cite="Moschella et al. 2023, arXiv:2209.15430",
        section="neighbourhood",
    )


def _imbalance(view: str, value: float) -> Score:
    return Score(
        "information-imbalance",
        view,
        value,
        forward=value - 0.02,
        backward=value + 0.02,
        interval=_interval(value, 0.03),
        chance=1.0,
        pairs=2000,
        gallery=9841,
        range=(0, None),
        higher_is_closer=False,
        definition="2/n · mean rank in y of the nearest neighbour in x",
        cite="Glielmo et al. 2022",
        section="neighbourhood",
    )


def _residual(measure: str, view: str, value: float, half: float) -> Score:
    return Score(
        measure,
        view,
        value,
        interval=_interval(value, half, "jackknife over 10 folds"),
        pairs=9541,
        range=(0, 1),
        higher_is_closer=False,
        definition="share of the variance of y that rotation and scale of x leave over",
        cite="Williams et al. 2021, arXiv:2110.14739",
        section="alignment",
    )


def _structure(measure: str, view: str, value: float, half: float, chance: float | None) -> Score:
    return Score(
        measure,
        view,
        value,
        interval=_interval(value, half, "jackknife over 10 folds"),
        chance=chance,
        pairs=9541,
        range=(-1, 1),
        definition="linear CKA with the unbiased HSIC; may be below 0",
        cite="Murphy et al. 2024, arXiv:2405.01012",
        section="similarity structure",
    )


REPORT = Report(
    command="compare",
    x={
        "name": "bert-base/wörter",
        "path": "dumps/bert.parquet",
        "member": "embedding",
        "format": "parquet",
        "rows": 10_000,
        "dim": 768,
        "dtype": "float32",
        "id_source": "column 'doc_id'",
        "sha256": "9f" * 32,
        "notes": [],
    },
    y={
        "name": "多言語-e5",
        "path": "dumps/e5.npy",
        "member": None,
        "format": "npy",
        "rows": 9_900,
        "dim": 1024,
        "dtype": "float16",
        "id_source": "sidecar e5.ids.txt",
        "sha256": "4c" * 32,
        "notes": ["float16 rows are read as float32"],
    },
    join={
        "by": "id",
        "x_rows": 10_000,
        "y_rows": 9_900,
        "pairs": 9_841,
        "x_only": 152,
        "y_only": 52,
        "dropped": {"zero vector in x": 7, "NaN in y": 0},
    },
    anchors={
        "source": "joined pairs",
        "strategy": "random",
        "count": 300,
        "seed": 0,
        "sha256": "a1" * 32,
        "rank_x": 300,
        "rank_y": 298,
        "condition_x": 1234.5,
        "condition_y": 8.7e16,
        "mean_cosine_x": 0.412,
        "mean_cosine_y": 0.7931,
        "scored": False,
    },
    scores=(
        _recall("relative", 1, 0.6134, 0.6201, 0.6067),
        _undefined("recall@1", "absolute", "retrieval", DIFFERENT_WIDTHS),
        _recall("relative", 10, 0.8812, 0.8899, 0.8725),
        _undefined("recall@10", "absolute", "retrieval", DIFFERENT_WIDTHS),
        _rank("relative", 1204.5, 2.5),
        _undefined("median-rank", "absolute", "retrieval", DIFFERENT_WIDTHS, higher_is_closer=False),
        _jaccard("relative", 0.2071),
        _jaccard("absolute", 0.2414),
        _imbalance("relative", 1.0113),
        _imbalance("absolute", 1.1204),
        _residual("procrustes-residual", "relative", 1.3e-13, 2.2e-14),
        _residual("procrustes-residual", "absolute", 0.4711, 0.0031),
        _residual("heldout-procrustes-residual", "relative", 0.1312, 0.0009),
        _residual("heldout-procrustes-residual", "absolute", 0.5213, 0.0042),
        _structure("debiased-cka", "relative", -0.0012, 0.0051, 0.0),
        _structure("debiased-cka", "absolute", -0.0913, 0.0049, 0.0),
        _structure("linear-cka", "relative", 0.7911, 0.0002, None),
        _structure("linear-cka", "absolute", 0.8043, 0.0019, None),
        _undefined("cca", "relative", "similarity structure", TOO_FEW_PAIRS),
        Score("cca", "absolute", math.nan, section="similarity structure", range=(0, math.inf)),
    ),
    settings={
        "k": 10,
        "measures": ["recall", "jaccard"],
        "center": True,
        "similarity": "cosine",
        "queries": 2_000,
        "sampled": True,
        "seed": 0,
    },
    versions={"relcli": "0.1.0", "numpy": "2.1.0"},
    notes=(
        "300 anchors are fewer than 768 dimensions: the rotation fitted on them is under-determined, so read "
        "the held-out residual as an upper bound.",
    ),
    checks=(
        {"requirement": "relative.recall@10 >= 0.8", "passed": True, "value": 0.8812, "reason": None},
        {
            "requirement": "absolute.recall@1 >= 0.5",
            "passed": False,
            "value": None,
            "reason": "the score is undefined",
        },
    ),
)
