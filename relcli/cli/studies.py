"""What commands that make many comparisons share: where they keep what is done, and how their answer gets out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from relcli.cli import groups, inputs, output

_output = inputs.in_panel("Output")

Resume = Annotated[
    Path | None,
    _output(
        "--resume",
        metavar="FILE.json",
        help="Keep what is done here, and begin from what is there; the first -o .json unless given.",
    ),
]
Plot = Annotated[Path | None, _output("--plot", metavar="FILE", help="Draw a .png or .svg.")]
_TO = "Also write .json, .md, .csv or .txt; may be repeated."
Files = Annotated[list[Path] | None, _output("--output", "-o", metavar="FILE", help=_TO)]

OUTPUT: groups.Group = {
    "resume": (Resume, None),
    "plot": (Plot, None),
    "as_json": (output.AsJson, False),
    "format_name": (output.TableFormat, None),
    "to": (Files, None),
    "quiet": (output.Quiet, False),
    "workers": (output.Workers, None),
    "tier": (output.Tier, None),
}


@dataclass(frozen=True)
class Output:
    """What the options of OUTPUT say."""

    resume: Path | None
    plot: Path | None
    as_json: bool
    format_name: str | None
    to: list[Path] | None
    quiet: bool
    workers: int | None
    tier: str | None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Output:
        """Return those options, which are no longer among the others."""
        return cls(**{name: options.pop(name) for name in OUTPUT})

    def place(self, *sources: Any) -> Path | None:
        """Return where to keep what is done; places that cannot be written are refused before any work."""
        from relcli.errors import OutputError, UsageError
        from relcli.reports.plots import check_plot
        from relcli.reports.study import FORMS

        resume, plot, files = self.resume, self.plot, self.to or []
        if resume and resume.suffix.lower() != ".json":
            raise UsageError(
                f"--resume {resume} is no .json: a run is taken up from its JSON. Name one, such as run.json."
            )
        kept = [*files, *([resume] if resume else [])]
        output.chosen_format(self.as_json, self.format_name, kept, formats=FORMS)
        output.refuse_overwriting(files, *sources, flags={"--resume": resume, "--plot": plot})
        if plot:
            check_plot(plot)
            if not plot.parent.is_dir():
                raise OutputError(f"{plot} cannot be written: there is no folder {plot.parent}. Make it first.")
        return resume or next((file for file in files if file.suffix.lower() == ".json"), None)

    def conclude(self, study: Any, forms: Mapping[str, Callable[[Any], str]], show: Callable[[Any, Any], None]) -> None:
        """Write the files and the plot, then print one document on stdout."""
        from relcli.reports.writing import write_files

        write_files(study, forms, self.to or ())
        if self.plot:
            from relcli.reports.plots import draw

            draw(study, self.plot)
        form = "json" if self.as_json else self.format_name or "table"
        if form != "table":
            sys.stdout.write(forms[form](study))
            return
        from rich.console import Console

        show(study, Console(highlight=False))
