"""relcli recommend"""

from __future__ import annotations

from typing import Any

from relcli.cli import groups, inputs, output
from relcli.cli.recommending import Candidates, Direction, Folds, LabelsIn, Products, Purpose, SplitIn


@groups.taking(groups.BOTH_READ, before="on_duplicate")
def recommend(
    x: inputs.SpaceX, y: inputs.SpaceY, anchors: inputs.AnchorsFrom, purpose: Purpose = None,
    candidates: Candidates = None, folds: Folds = 10, products: Products = True, direction: Direction = "both",
    labels: LabelsIn = None, split: SplitIn = None, seed: inputs.Seed = 0,
    on_duplicate: inputs.OnDuplicate = "error", on_bad: inputs.OnBad = "error",
    missing_anchors: inputs.MissingAnchors = "error", as_json: output.AsJson = False,
    format_name: output.TableFormat = None, files: output.TableFiles = None, quiet: output.Quiet = False,
    workers: output.Workers = None, tier: output.Tier = None,
    **reading: Any,
) -> None:  # fmt: skip
    """
    Tell which way of comparing (--via of retrieve and stitch) suits two spaces, by cross-validation on the anchors.

    Example: relcli recommend digits_ae_s0.npy digits_ae_s1.parquet --anchors anchors.txt
    """
    from relcli import api
    from relcli.reports import recommendation

    chosen = output.chosen_format(as_json, format_name, files, formats=recommendation.FORMATS)
    output.refuse_overwriting(files, x, y, anchors, labels, split, *groups.places(reading))
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors}
    trying = {"purpose": purpose, "candidates": candidates or None, "folds": folds, "products": products}
    classes = {"direction": direction, "labels": labels, "split": split}
    options = {**reading, **policies, **trying, **classes, "seed": seed, "workers": workers, "tier": tier}
    with output.progress_bars(quiet) as progress:
        found = api.recommend(x, y, anchors, progress=progress, **options)
    output.write_found(found, chosen, files, table=recommendation.print_recommendation, forms=recommendation.FORMATS)
