"""What may become of rows, anchors and labels that stand in the way, as the options of every command name it."""

from __future__ import annotations

from typing import Any

from relcli.errors import check_choice

#: The policies, by the option's name, and what each may be.
POLICIES = {
    "on_duplicate": ("error", "first", "drop"),
    "on_bad": ("error", "drop"),
    "missing_anchors": ("error", "drop"),
    "missing_labels": ("error", "drop"),
}


def policies_of(options: Any) -> dict[str, str]:
    """Return the policies among some options, by name."""
    return {name: getattr(options, name) for name in POLICIES if hasattr(options, name)}


def check_policies(options: Any) -> None:
    """Raise UsageError unless each policy among some options is one that there is."""
    for name, said in policies_of(options).items():
        check_choice(name, said, POLICIES[name])
