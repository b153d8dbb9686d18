"""A log that a simulated caseload of all procedures leaves is GOOD, whole and from a kept state. `python -m bench.verified` judges more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.progress import Progress

from bench.verified import write
from referral.analysis.simulation import rates
from referral.cli.audit.source import Folder, lent_keys
from referral.domain.durations import DAY_US
from referral.proof.audit.judge import Verdict, VerifyOptions, judge
from tests.harness import caseload_log
from tests.harness.audit_archive import auditor_key


@pytest.fixture(autouse=True, scope="module")
def mix() -> Iterator[None]:
    """Each procedure has as many cases as any other, so that the log of one day holds them all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates, "MIX", {})
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a day of arrivals and two days more, and in `cut` as it was a day before its end."""
    place = tmp_path_factory.mktemp("caseload")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caseload_log, "TAIL", 2)
        write(place / "log", 1)
    return place


def verified(folder: Path, **asked: object) -> Verdict:
    there = Folder(folder)
    keys = lent_keys(there, auditor_key(folder.parent))
    return judge(there, VerifyOptions(keys=keys, pinned=there.read("witness.policy"), **asked), Progress(disable=True))  # type: ignore[arg-type]


def test_it_is_good_with_every_check(place: Path) -> None:
    report = verified(place / "log").report
    assert not report.findings and report.exit_code() == 0
    counts = report.counts
    assert counts["cases"] > 50 and counts["decisions re-executed"] == counts["decisions"] > 1_000
    assert counts["free places compared"] > 10_000
    world = caseload_log.Lived(place / "unused", 1)
    assert {arrival.pathway for arrival in world.caseload.arrivals()} == {pathway.id for pathway in world.policy.current}


def test_it_is_found_good_from_a_state_of_the_day_before(place: Path) -> None:
    before = verified(place / "cut", keep=place / "state")
    whole = verified(place / "log")
    since = verified(place / "log", since=(place / "cut" / "checkpoint").read_bytes(), state=place / "state")
    assert since.resumed and since.report.counts == whole.report.counts and not since.report.findings
    assert whole.size > before.size > whole.size // 3


def test_a_lie_after_the_cut_is_found(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Routing says, on the last day alone, that nothing is free."""
    monkeypatch.setattr(caseload_log, "TAIL", 2)

    class Liar(caseload_log.Lived):
        def _free(self, wanted: tuple[str, ...]) -> dict[str, int]:
            free = super()._free(wanted)
            return dict.fromkeys(free, 0) if self.now > self.until - DAY_US else free

    monkeypatch.setattr("bench.verified.Lived", Liar)
    write(tmp_path / "log", 1)
    verified(tmp_path / "cut", keep=tmp_path / "state")
    since = verified(tmp_path / "log", since=(tmp_path / "cut" / "checkpoint").read_bytes(), state=tmp_path / "state").report
    assert {found.code for found in since.findings} == {"FREE_FALSE"}
    assert sorted(map(repr, since.findings)) == sorted(map(repr, verified(tmp_path / "log").report.findings))
