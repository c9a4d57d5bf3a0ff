"""Options that say what to draw, and how pictures get into a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from relcli.cli.inputs import in_panel

if TYPE_CHECKING:
    from relcli.reports.pictures import Pictures
    from relcli.reports.report import Report

_drawn = in_panel("Pictures")

Plots = Annotated[
    Path | None, _drawn("--plots", metavar="DIR", help="Draw projections, agreement and groups here, as .png and .svg.")
]
Points = Annotated[Path | None, _drawn("--points", metavar="FILE", help="Write the points drawn (.parquet, .csv).")]
Projection = Annotated[str | None, _drawn("--projection", metavar="NAME", help="pca unless given; tsne or umap.")]
PlotSample = Annotated[int | None, _drawn("--plot-sample", metavar="N", help="Queries drawn, 3,000 unless given.")]

Html = Annotated[
    Path | None,
    _drawn("--html", metavar="FILE", help="Write one page with tables, pictures and the JSON, like -o FILE.html."),
]


def with_page(files: list[Path] | None, html: Path | None) -> list[Path] | None:
    """Return the files to write with the page among them; raise UsageError where its name does not end as a page's."""
    if html is None:
        return files
    from relcli.errors import UsageError

    if html.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--html {html} ends in {html.suffix!r}, and pages end in .html. Rename it, or use -o FILE.")
    return [*(files or ()), html]


class Page:
    """The pictures of a page of HTML, where one is wanted: kept when they are made, drawn when it is written."""

    def __init__(self, format_name: str, files: list[Path] | None) -> None:
        from relcli.errors import MissingExtraError
        from relcli.reports.plots import check_matplotlib
        from relcli.reports.writing import format_for

        self.without: str | None = None
        self._wanted = "html" in (format_name, *map(format_for, files or ()))
        self._kept: list[Pictures] = []
        try:
            if self._wanted:
                check_matplotlib()
        except MissingExtraError as missing:
            self.without = f"No pictures: {missing}"

    @property
    def keep(self) -> Callable[[Pictures], None] | None:
        """What is given the pictures, None where they are not wanted or cannot be drawn."""
        return self._kept.append if self._wanted and self.without is None else None

    def forms(self) -> dict[str, Callable[[Report], str]]:
        """Return what writes a report in each format, the page with its pictures."""
        from relcli.reports.writing import FORMATS

        return {**FORMATS, "html": self._written}

    def _written(self, report: Report) -> str:
        from relcli.reports.html import to_html
        from relcli.reports.pictures import figures_of

        if self.without is not None:
            return to_html(report, without=self.without)
        return to_html(report, figures_of(report, next(iter(self._kept), None)))
