"""Options that go together, taken by several commands as one: which files to read how, and what becomes of bad rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, TypeVar

from relcli.cli import inputs

F = TypeVar("F", bound=Callable[..., Any])

#: Options by name: what each is, and its default.
Group = Mapping[str, tuple[Any, Any]]

BOTH_READ: Group = {
    "ids_x": (inputs.IdsX, None),
    "ids_y": (inputs.IdsY, None),
    "key_x": (inputs.KeyX, None),
    "key_y": (inputs.KeyY, None),
    "id_column": (inputs.IdColumn, None),
    "id_column_x": (inputs.IdColumnX, None),
    "id_column_y": (inputs.IdColumnY, None),
}
TWO_SPACES: Group = {**BOTH_READ, "pairs": (inputs.Pairs, None)}
MANY_SPACES: Group = {"ids": (inputs.Ids, None), "id_column": (inputs.IdColumn, None)}
BAD_ROWS: Group = {
    "on_duplicate": (inputs.OnDuplicate, "error"),
    "on_bad": (inputs.OnBad, "error"),
    "strict": (inputs.Strict, False),
}
BAD_ROWS_AND_ANCHORS: Group = {
    "on_duplicate": (inputs.OnDuplicate, "error"),
    "on_bad": (inputs.OnBad, "error"),
    "missing_anchors": (inputs.MissingAnchors, "error"),
    "strict": (inputs.Strict, False),
}


def taking(*groups: Group, before: str | None = None) -> Callable[[F], F]:
    """
    Return a decorator: the command's **keywords stand for the options of these groups.

    typer is shown one signature, in which they come before the parameter `before`, or last.
    """

    def widen(command: F) -> F:
        own = signature(command, eval_str=True)
        parameters = [each for each in own.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        taken = [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind)
            for group in groups
            for name, (kind, default) in group.items()
        ]
        at = [*(each.name for each in parameters), None].index(before)
        parameters[at:at] = taken
        command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return widen


def places(reading: Mapping[str, Any]) -> list[Any]:
    """Return the files beside the dumps that such options name."""
    return [reading[name] for name in ("ids_x", "ids_y", "ids", "pairs") if name in reading]
