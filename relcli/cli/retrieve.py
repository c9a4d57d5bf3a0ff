"""relcli retrieve"""

from __future__ import annotations

from typing import Any

from relcli.cli import gate, groups, inputs, output


@groups.taking(groups.BOTH_READ, before="on_duplicate")
def retrieve(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    anchors: inputs.AnchorsIfAny = None,
    query: inputs.QueryIds = None,
    queries: inputs.QueriesFrom = None,
    every: inputs.AllQueries = False,
    k: inputs.ItemCount = 10,
    via: inputs.Via = None,
    csls: inputs.Csls = False,
    center: inputs.Center = None,
    include_anchors: inputs.IncludeAnchors = None,
    truth: inputs.Truth = None,
    show: inputs.Show = None,
    show_from: inputs.ShowFrom = None,
    index: inputs.IndexKind = "exact",
    save_index: inputs.SaveIndex = None,
    load_index: inputs.LoadIndex = None,
    seed: inputs.Seed = 0,
    on_duplicate: inputs.OnDuplicate = "error",
    on_bad: inputs.OnBad = "error",
    missing_anchors: inputs.MissingAnchors = "error",
    check: gate.Checks = None,
    fail_under: gate.FailUnder = None,
    fail_over: gate.FailOver = None,
    as_json: output.AsJson = False,
    as_lines: output.AsLines = False,
    files: output.HitFiles = None,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
    tier: output.Tier = None,
    **reading: Any,
) -> None:
    """
    Find the items of one model nearest to items of another: search across two embedding spaces.

    Example: relcli retrieve digits_ae_s0.npy digits_ae_s1.parquet --anchors anchors.txt --query digit-0000 -k 3
    """
    from relcli import api
    from relcli.formats.hits import hits_format, open_shown

    for file in files or ():
        hits_format(file)
    required = gate.parsed(check, fail_under, fail_over)
    output.refuse_overwriting(files, x, y, anchors, queries, truth, *groups.places(reading), show_from)
    dumps: tuple[Any, Any] = (x, y)
    if show or show_from:
        # the texts are those of y's ids, in whichever column they are
        dumps = api.open_both(x, y, api.Reading(**reading))
    shown = open_shown(show or (), y, show_from, among=[dump.ids for dump in dumps[1:] if dump is not y])
    asked = api.chosen_queries(query, queries, every)
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors}
    scoring = {"k": k, "csls": csls, "center": center, "include_anchors": include_anchors, "seed": seed}
    searching = {"via": via or "relative", "index": index, "save_index": save_index, "load_index": load_index}
    options: dict[str, Any] = {
        **reading,
        **policies,
        **scoring,
        **searching,
        "queries": asked,
        "truth": truth,
        "workers": workers,
        "tier": tier,
    }
    with output.progress_bars(quiet) as progress, output.hits_written(files, shown, as_json, as_lines) as take:
        found = api.retrieve(*dumps, anchors, take=take, progress=progress, **options)
        retrieval = gate.judged_hits(found.retrieval, required)
        take.finish(retrieval, quiet)
    gate.tell_and_exit(retrieval.checks, quiet=quiet)
