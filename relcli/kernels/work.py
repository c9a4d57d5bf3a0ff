"""What steps cost beside one another, in multiplications of two numbers: by it work is planned."""

from __future__ import annotations

from relcli.kernels.compiled import loops

#: What a score costs beside the numbers that it multiplies: to write it and to look at it.
SCORE_COST = 12

#: What it costs to count a score by comparing it with the marks of its row and of its column.
COUNT_COST = 60

# a score that the filter does not decide is gathered, computed in float64 and sorted in; a group is gathered and
# compared: by numpy, and by compiled loops
_CANDIDATE, _GROUP = (30_000, 6_000), (10_000, 2_500)


def candidate_cost() -> float:
    """Return what a score that the filter leaves undecided costs."""
    return _CANDIDATE[loops() is not None]


def group_cost() -> float:
    """Return what looking into a group of scores costs."""
    return _GROUP[loops() is not None]
