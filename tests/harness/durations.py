"""Keep how long tests take in tests/durations.tsv, a plugin of pytest: who runs several at a time begins with the longest.

`--keep-durations` writes the tests that ran into the file; a test of less than `LEAST_S` is not in it. Seconds are those of the machine of
the last such run: they order tests, and say which of them became slow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

KEPT = Path(__file__).parents[1] / "durations.tsv"
LEAST_S = 1.0
"""Seconds (ours) of the shortest test that is worth a line."""


def read(text: str) -> dict[str, float]:
    """Return test → seconds. text: of the file."""
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {test: float(seconds) for seconds, test in rows}


def merged(before: Mapping[str, float], ran: Mapping[str, float], root: Path) -> dict[str, float]:
    """Return what the file has after a run. Tests that did not run keep their time, as long as their file is there."""
    left = {test: seconds for test, seconds in before.items() if test not in ran and (root / test.partition("::")[0]).exists()}
    return dict(sorted((left | {test: seconds for test, seconds in ran.items() if seconds >= LEAST_S}).items()))


def written(kept: Mapping[str, float]) -> str:
    """Return the text of the file."""
    rows = [f"{seconds:.1f}\t{test}" for test, seconds in kept.items()]
    return "\n".join(["# seconds and test, of `make test KEEP=1`; see tests/harness/durations.py", *rows, ""])


class Durations:
    """The plugin. ran: test → seconds of its setup, its call and its teardown."""

    def __init__(self) -> None:
        self.ran: defaultdict[str, float] = defaultdict(float)
        self.known = read(KEPT.read_text("utf-8")) if KEPT.exists() else {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a part of a test; under pytest-xdist the controlling process hears of all of them."""
        self.ran[report.nodeid.partition("@")[0]] += report.duration

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Put the longest first where several processes share the tests: none is left with one of them when the others have ended."""
        if hasattr(config, "workerinput"):
            items.sort(key=lambda item: (not any(item.iter_markers("xdist_group")), -self.known.get(item.nodeid, 0.0)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file, where that is asked for."""
        if session.config.getoption("--keep-durations") and not hasattr(session.config, "workerinput"):
            KEPT.write_text(written(merged(self.known, self.ran, session.config.rootpath)), "utf-8")
