"""One log of two releases: cases begin under rules and policy of before and go on by today's. Its export is decided again to its bytes.

Each decision is made again by the engine that its record names: the earlier ones by the frozen program, the later ones by this one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from referral.cli import run
from referral.domain.case import Case, next_due
from referral.domain.events import CaseOpened, OfferOpened, PolicyActivated, TraitsChanged, Word
from referral.domain.policy import ENGINE
from referral.proof.entry import INTAKE, ROUTING, Entry
from referral.proof.history.case import unseal
from referral.wire import codec, headers, policy_digest
from tests.harness.audit_archive import Rows, auditor_key, exported
from tests.harness.audit_log import BEFORE, FILES, MINUTE, Log, asked, closed, response, story

CASES = ("alone", "with an answer", "of a silence")


def upgraded() -> tuple[Log, dict[str, Case], int]:
    """The log, each case as it was when the release changed, and the number of entries then."""
    log = Log(engine=ENGINE - 1)
    _, offer = asked(log, CASES[0])
    for name in CASES[1:]:
        story(log, name)
    before, size = dict(log.cases), len(log.entries)
    log.engine = ENGINE
    log.now += MINUTE
    body = PolicyActivated(number=2, digest=policy_digest.digest(FILES), at=log.now, files=FILES, valid_from=0, before="")
    told = headers.plain(PolicyActivated.TYPE, id="00000000-0000-4000-8000-000000000002", source="routing", at=log.now)
    log.put(PolicyActivated.TOPIC, 0, b"2", codec.encode(body), told)
    for number, case_id in enumerate(before):
        log.now += MINUTE
        traits = structs.replace(log.cases[case_id].traits, age_band="12-14")
        said = TraitsChanged(agency="school-drita", by=None, traits=traits, received_at=log.now)
        log.input(case_id, said, f"changed {number}")
    log.input(next(iter(before)), response(offer, Word.ACCEPT, "late"), "late")
    return log, before, size


def open_steps(case: Case) -> set[tuple[str, str, str]]:
    """Procedure by its digest, step, and service of each offer that is open."""
    return {
        (track.digest, run.step, seat.offer.service)
        for track in case.tracks
        for run in track.runs
        for seat in run.seats
        if seat.offer is not None and not seat.offer.how
    }


def verified(folder: Path, capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    run(["audit", "verify", str(folder), "--trust-log-names", "--json", *map(str, words)])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def bodies(log: Log, entries: list[Entry]) -> list[Any]:
    return [unseal(entry, log.keys[entry.case_id]).body for entry in entries if entry.topic in (INTAKE, ROUTING)]


def test_the_export_is_good_and_every_decision_is_made_again_by_the_engine_of_its_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, before, _ = upgraded()
    end = log.now + 90 * MINUTE
    for case_id in before:
        while (due := next_due(log.cases[case_id])) is not None and due < end:
            log.alarm(case_id)
        closed(log, case_id)
    folder = exported(tmp_path / "log", Rows(log.entries), log.keys)
    said = verified(folder, capsys, "--key", auditor_key(tmp_path))
    assert (said["verdict"], said["findings"]) == ("good", [])
    counts = said["counts"]
    assert counts["decisions re-executed"] == counts["decisions"] == 18
    assert counts[f"decisions by engine {ENGINE - 1}"] == 7


def test_what_was_open_stays_open_under_the_procedure_under_which_it_began() -> None:
    log, before, _ = upgraded()
    answered, *others = before
    for case_id in others:
        assert open_steps(before[case_id]) <= open_steps(log.cases[case_id]) and open_steps(before[case_id])
    assert open_steps(before[answered]) - open_steps(log.cases[answered]) == set()
    for case_id, case in before.items():
        assert [track.digest for track in log.cases[case_id].tracks] == [track.digest for track in case.tracks]


def test_the_release_before_wrote_its_own_versions_and_no_time_is_known() -> None:
    log, before, size = upgraded()
    types = [entry.type for entry in log.entries[:size] if entry.case_id]
    assert {"referral-submitted.v1", "case-opened.v1"} <= {*types} and "case-opened.v2" not in types
    assert {"traits-changed.v3"} <= {entry.type for entry in log.entries[size:]} and "case-opened.v1" in BEFORE
    for body in bodies(log, log.entries[:size]):
        assert not isinstance(body, CaseOpened) or body.traits.times == ()
    assert all(case.traits.times == () for case in before.values())
    assert any(isinstance(body, OfferOpened) for body in bodies(log, log.entries[:size]))
