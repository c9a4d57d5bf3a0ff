"""What may become of rows that stand in the way: one set of policies, checked alike by every task."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import pytest

import relcli.tasks
from relcli.errors import UsageError, check_choice
from relcli.evaluation.policies import POLICIES, policies_of


def options_with_policies() -> list[tuple[type, str]]:
    """Return every class of options of a task, with each policy among its fields."""
    modules = [
        importlib.import_module(f"relcli.tasks.{module.name}") for module in pkgutil.iter_modules(relcli.tasks.__path__)
    ]
    kinds = [kind for module in modules for name, kind in vars(module).items() if name.endswith("Options")]
    return [(kind, field.name) for kind in kinds for field in dataclasses.fields(kind) if field.name in POLICIES]


CASES = options_with_policies()


def test_most_tasks_have_policies():
    assert len({kind for kind, _ in CASES}) >= 13


@pytest.mark.parametrize(("kind", "policy"), CASES, ids=lambda part: getattr(part, "__module__", part))
def test_a_policy_that_there_is_not_is_refused(kind, policy):
    flag = policy.replace("_", "-")
    with pytest.raises(UsageError, match=f"--{flag} 'drip' is none of error, (first, )?drop. Did you mean 'drop'"):
        kind(**{policy: "drip"})


@pytest.mark.parametrize(("kind", "policy"), CASES, ids=lambda part: getattr(part, "__module__", part))
def test_a_policy_that_there_is_is_kept(kind, policy):
    for said in POLICIES[policy]:
        assert policies_of(kind(**{policy: said}))[policy] == said


def test_a_choice_is_one_of_those_known():
    check_choice("head", "svm", ("svm", "ridge"))

    with pytest.raises(UsageError, match=r"--some-head 'svn' is none of svm, ridge\. Did you mean 'svm'"):
        check_choice("some_head", "svn", iter(("svm", "ridge")))
