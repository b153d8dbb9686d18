"""Compile each policy once in the process that runs the tests: the readers of a log compile its bundles anew for each log they judge."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.policy import Policy, policy

MOST = 16
"""Policies that are remembered (ours): a test needs a few, and most tests the same ones."""
_compile = policy.compile
_known: dict[tuple[object, int], tuple[Policy | None, Policy]] = {}


def use() -> None:
    """Let the program, which calls `policy.compile`, have the policy that was compiled from these files before. Errors are found anew.

    Whoever imports `compile` by its name calls the compiler itself, as the tests of the policy's language do.
    """
    policy.compile = remembered


def remembered(files: Mapping[str, bytes], before: Policy | None = None) -> Policy:
    """Return what `compile` returns: a policy depends on nothing else, and never changes."""
    key = (tuple(sorted(files.items())), id(before))
    if key not in _known:
        if len(_known) >= MOST:
            _known.clear()
        _known[key] = before, _compile(files, before)  # what is held has an id that no other takes
    return _known[key][1]
