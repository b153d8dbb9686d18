"""A verification that goes on from a kept state finds what a verification of the whole log finds, wherever the log was cut."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from referral.cli import run
from referral.domain.case import next_due
from referral.proof.archive import Payload
from referral.proof.audit import state as state_file
from referral.proof.audit.judge import Verdict, VerifyOptions, judge
from referral.proof.entry import ROUTING, Entry
from referral.proof.verify.report import Report
from referral.tlog.tile_layout import FULL
from tests.attacks import omissions
from tests.attacks.omissions import CalledLost, Emptied, FirstRung, Forgotten, Mute, PassedOver, SomeChildren, Twice
from tests.harness import made_log
from tests.harness.audit_archive import Rows, auditor_key, exported, long_log
from tests.harness.audit_log import Log, closed, erase, story
from tests.harness.outages import HOUR, MINUTE, SERVICES, LivedLine, call
from tests.unit.proof.test_export import flipped, verify
from tests.unit.proof.test_verify import forged


def summary(report: Report) -> tuple[Any, ...]:
    """What a report says, in an order of its own."""
    return (
        sorted(map(repr, report.findings)),
        {name: count for name, count in report.counts.items() if count},
        report.periods,
        report.decided,
    )


def kept(entries: list[Entry], keys: Any, place: Path) -> bytes:
    """Verify a log, keep the state, and return its checkpoint."""
    there = Rows(entries)
    judge(there, VerifyOptions(keys=keys, keep=place), Progress(disable=True))
    checkpoint = there.read("checkpoint")
    assert checkpoint is not None
    return checkpoint


def since(
    entries: list[Entry], keys: Any, cut: int, folder: Path, before: Any = None, whole: tuple[Any, ...] | None = None, **asked: Any
) -> Verdict:
    """Verify from the state on that was kept at a cut, and compare with a verification of the whole. before: keys at the cut."""
    state = folder / "state"
    options = VerifyOptions(keys=keys, since=kept(entries[:cut], keys if before is None else before, state), state=state, **asked)
    verdict = judge(Rows(entries), options, Progress(disable=True))
    assert summary(verdict.report) == (whole or of_whole(entries, keys)), cut
    return verdict


def of_whole(entries: list[Entry], keys: Any) -> tuple[Any, ...]:
    return summary(judge(Rows(entries), VerifyOptions(keys=keys), Progress(disable=True)).report)


def every(entries: list[Entry], keys: Any, cuts: Iterable[int], folder: Path) -> Counter[str]:
    """Compare at many cuts, and return how often a state was used, or why it was not."""
    whole, used = of_whole(entries, keys), Counter[str]()
    for cut in cuts:
        verdict = since(entries, keys, cut, folder, whole=whole)
        used["" if verdict.resumed else verdict.whole.partition(" ")[2]] += 1
    return used


@pytest.mark.parametrize("seed", range(2))
def test_any_cut_of_an_honest_line_finds_the_same(seed: int, tmp_path: Path) -> None:
    line = LivedLine(seed=seed).live()
    size = len(line.entries)
    cuts = (3, 100, 256, size // 3, size // 2, size - 9, size - 1, size)
    assert every(line.entries, line.keys, cuts, tmp_path) == {"": len(cuts)}


def test_before_the_first_heartbeat_nothing_is_sure(tmp_path: Path) -> None:
    line = LivedLine(hours=2).live()
    verdict = since(line.entries, line.keys, 1, tmp_path)
    assert not verdict.resumed and "line for exercises" in verdict.whole


@pytest.mark.parametrize("server", SERVICES)
def test_a_state_that_was_kept_during_an_outage_finds_the_same(server: str, tmp_path: Path) -> None:
    line = LivedLine(away={server: (HOUR, 2 * HOUR)}, seed=5).live()
    size = len(line.entries)
    assert every(line.entries, line.keys, (size // 4, size // 3, size // 2), tmp_path)[""] == 3


@pytest.mark.parametrize("attack", [PassedOver, CalledLost, Twice, Forgotten, SomeChildren, FirstRung, Emptied, Mute])
def test_an_attack_before_or_after_the_cut_is_found_as_by_the_whole(attack: type[LivedLine], tmp_path: Path) -> None:
    line = omissions._lived(attack)
    size = len(line.entries)
    used = every(line.entries, line.keys, (size // 5, size // 2, size - 5), tmp_path)
    assert used[""] == 3, used


def test_a_case_that_is_over_is_not_read_again(tmp_path: Path) -> None:
    """All of the first cases are closed, and the last one is new: only its entries are read."""
    log = Log()
    first = [story(log, f"case {number}") for number in range(12)]
    for case_id in first:
        closed(log, case_id)
    assert len(log.entries) > FULL
    log.now += 3 * HOUR
    call(log)
    log.now += HOUR
    log.beat({ROUTING: [999] * 12}, drill=False)
    cut = len(log.entries)
    story(log, "another")
    log.beat({ROUTING: [999] * 12}, drill=False)
    there, read = Rows(log.entries), list[str]()
    kept(log.entries[:cut], log.keys, tmp_path / "state")
    old = Rows(log.entries[:cut]).read("checkpoint")
    answer = there.read
    there.read = lambda path: read.append(path) or answer(path)  # type: ignore[method-assign,func-returns-value]
    verdict = judge(there, VerifyOptions(keys=log.keys, since=old, state=tmp_path / "state"), Progress(disable=True))
    assert verdict.resumed and summary(verdict.report) == of_whole(log.entries, log.keys)
    assert "payload/000" not in read, "the bundle of the older cases is not opened"


def test_a_limit_that_passes_after_the_cut_is_seen(tmp_path: Path) -> None:
    """Up to its limit the case is not read again; then its alarm is missing."""
    log = Log()
    case_id = story(log)
    call(log)
    for _ in range(8):
        log.now += MINUTE
        log.beat({ROUTING: [999] * 12})
    due = next_due(log.cases[case_id])
    assert due is not None and due > log.now + 2 * MINUTE
    old, keys, state = len(log.entries), log.keys, tmp_path / "state"
    at = kept(log.entries, keys, state)
    for now, code in ((due - 1, ""), (due + HOUR, "OVERDUE")):
        log.now = now
        log.beat({ROUTING: [999] * 12})
        report = judge(Rows(log.entries), VerifyOptions(keys=keys, since=at, state=state), Progress(disable=True)).report
        assert summary(report) == of_whole(log.entries, keys) and len(log.entries) > old
        assert any(found.code == code for found in report.findings) is bool(code)


def test_erasures_lent_keys_and_late_words_of_old_cases_find_the_same(tmp_path: Path) -> None:
    log = Log()
    cases = [story(log, f"case {number}") for number in range(6)]
    for case_id in cases[:4]:
        closed(log, case_id)
    log.beat(None)
    log.now += HOUR
    log.beat(None)
    cut, before = len(log.entries), dict(log.keys)
    erase(log, cases[0])
    closed(log, cases[4])
    log.beat(None)
    after = {case_id: key for case_id, key in log.keys.items() if case_id not in (cases[0], cases[1])}
    less = {case_id: key for case_id, key in before.items() if case_id != cases[2]}
    for keys in (before, less):
        for now in (log.keys, after):
            assert since(log.entries, now, cut, tmp_path, before=keys).resumed
    there = Rows(log.entries)
    for idx in (2, 3):
        there.payloads[idx] = None
    state = tmp_path / "state"
    options = VerifyOptions(keys=after, since=kept(log.entries[:cut], before, state), state=state)
    whole = judge(there, VerifyOptions(keys=after), Progress(disable=True))
    assert summary(judge(there, options, Progress(disable=True)).report) == summary(whole.report)


def test_a_fork_is_judged_with_all_of_its_case(tmp_path: Path) -> None:
    log = Log()
    story(log)
    log.beat(None)
    cut = len(log.entries)
    forged(log, 2)
    log.beat(None)
    verdict = since(log.entries, log.keys, cut, tmp_path)
    assert not verdict.resumed and "a fork or a gap" in verdict.whole
    story(log, "two")
    assert since(log.entries, log.keys, len(log.entries) - 9, tmp_path).resumed


def test_a_changed_older_entry_of_a_case_that_goes_on_is_not_believed(tmp_path: Path) -> None:
    log = Log()
    case_id = story(log)
    log.beat(None)
    cut = len(log.entries)
    closed(log, case_id)
    state, keys = tmp_path / "state", log.keys
    old = kept(log.entries[:cut], keys, state)
    there = Rows(log.entries)
    kept_one = there.payloads[3]
    assert kept_one is not None
    there.payloads[3] = Payload(kept_one.key, kept_one.value + b"x", kept_one.headers)
    verdict = judge(there, VerifyOptions(keys=keys, since=old, state=state), Progress(disable=True))
    first = verdict.report.first_bad()
    assert "not what it was" in verdict.whole and first is not None and (first.code, first.idx) == ("HASH_DIFFERS", 3)


def test_a_state_of_something_else_is_said_and_not_used(tmp_path: Path) -> None:
    log = Log()
    story(log)
    log.beat(None)
    cut, state = len(log.entries), tmp_path / "state"
    story(log, "two")
    old, good = kept(log.entries[:cut], log.keys, state), state.read_bytes()

    def why(data: bytes, **asked: Any) -> str:
        state.write_bytes(data)
        options = VerifyOptions(**{"keys": log.keys, "since": old, "state": state, **asked})
        verdict = judge(Rows(log.entries), options, Progress(disable=True))
        assert verdict.size == len(log.entries) and bool(verdict.whole) is not verdict.resumed
        return verdict.whole

    assert why(good) == ""
    nothing = state_file.FORM + hashlib.sha256(state_file.FORM).digest()
    assert "it cannot be read" in why(nothing)
    for data in (b"", good[:-1], good[:40], good + b"x", good[: len(good) // 2] + b"x" + good[len(good) // 2 + 1 :]):
        assert "damaged" in why(data)
    assert "your policy file has changed" in why(good, pinned=made_log.policy())
    assert "another checkpoint" in why(good, since=Rows(log.entries[: cut + 3]).read("checkpoint"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_file, "program", lambda: b"another")
        assert "another version of this program" in why(good)


def test_a_state_goes_on_from_a_state(tmp_path: Path) -> None:
    """Each verification keeps the state for the next one."""
    line = LivedLine(seed=3).live()
    size, older, newer = len(line.entries), tmp_path / "older", tmp_path / "newer"
    at = kept(line.entries[: size // 4], line.keys, older)
    for cut in (size // 2, 3 * size // 4, size):
        there = Rows(line.entries[:cut])
        verdict = judge(there, VerifyOptions(keys=line.keys, since=at, state=older, keep=newer), Progress(disable=True))
        assert verdict.resumed and summary(verdict.report) == of_whole(line.entries[:cut], line.keys)
        newer.replace(older)
        at = there.read("checkpoint") or b""


def test_the_command_keeps_a_state_and_goes_on_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = long_log()
    cut, key, mine = len(log.entries), auditor_key(tmp_path), tmp_path / "mine"
    folder = exported(tmp_path / "log", Rows(log.entries), log.keys)
    assert verify(capsys, folder, "--key", key, "--keep", mine)[0] == 0
    assert mine.read_bytes() == (folder / "checkpoint").read_bytes() and sorted(p.name for p in tmp_path.glob("mine*")) == [
        "mine",
        "mine.state",
    ]
    story(log, "another")
    exported(folder, Rows(log.entries), log.keys)
    code, said = verify(capsys, folder, "--key", key, "--since", mine, "--keep", mine)
    assert (code, said["state"], said["entries"], len(said["not_checked"])) == (0, "used", len(log.entries), 2)
    assert said["counts"] == verify(capsys, folder, "--key", key)[1]["counts"] and len(log.entries) > cut
    state = mine.with_name("mine.state").read_bytes()
    mine.with_name("mine.state").write_bytes(state[:-1])
    code = run(["audit", "verify", str(folder), "--key", str(key), "--since", str(mine), "--trust-log-names"])
    out = capsys.readouterr().out
    assert code == 0 and "was not used, and the whole log was verified: its file is damaged" in out and "not looked at this time" not in out
    flipped("payload/000")(folder)
    assert run(["audit", "verify", str(folder), "--key", str(key), "--keep", str(mine), "--trust-log-names"]) == 1
    assert "were not kept: the log is BAD" in capsys.readouterr().err and mine.with_name("mine.state").read_bytes() == state[:-1]
    assert not list(tmp_path.glob("*.part"))
    assert run(["audit", "verify", str(folder), "--keep", str(tmp_path / "nowhere" / "mine")]) == 2
    assert f"no file can be made in {tmp_path / 'nowhere'}" in " ".join(capsys.readouterr().err.split())
