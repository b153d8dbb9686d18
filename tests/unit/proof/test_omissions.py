"""`audit verify` finds what did not happen, names who is answerable, and takes no honest outage for an omission."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from rich.progress import Progress as Bar

from referral.domain.case import next_due
from referral.domain.events import CauseKind, Facts, Head, KnockSent, ReferralSubmitted, RungReached, Word
from referral.domain.inputs import Due, Input, record_input
from referral.proof.act import State
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import INTAKE, NOTIFICATION, ROUTING, Entry, Kind
from referral.proof.verify.log import verify
from referral.proof.verify.omissions import acted
from referral.proof.verify.progress import EARLY, LATE_S, Evidence, Progress
from referral.proof.verify.report import Finding, Report, Weight
from services.audit.ingest import Says, ingest
from services.notifier.plan import Question
from tests.attacks import omissions
from tests.attacks.omissions import CalledLost, Emptied, FirstRung, Forgotten, Mute, PassedOver, SaidReached, SomeChildren, Twice
from tests.attacks.together import NeverRead, OneBehind
from tests.harness.audit_archive import Rows
from tests.harness.audit_log import Log, asked, response
from tests.harness.outages import HOUR, MINUTE, SERVICES, LivedLine, ToldLog, cuts
from tests.harness.two_operators import act
from tests.stories.saved import TOLD, read
from tests.stories.teller import policy, world
from tests.vectors import lies, omitted

HONEST = {"PAUSED", "RECORDED_LATE"}
"""Notes about an outage."""
NOT_HONEST = ("policy", "lost", "engine-fails", "unheard")
"""Lines of a story that no log of one honest line under one policy holds."""


def of(report: Report, code: str) -> list[Finding]:
    return [found for found in report.findings if found.code == code]


def bad(report: Report) -> list[Finding]:
    return [found for found in report.findings if found.weight is Weight.BAD]


def unread(found: Finding) -> bool:
    """Whether a decision was read before its input, which audit had left for later."""
    return found.code == "INPUT" and found.weight is Weight.UNCHECKED and found.what.endswith("; audit had not read that far")


def checked(line: Log, size: int | None = None) -> Report:
    return verify(line.entries[:size], line.keys)


def answered(log: Log, name: str) -> tuple[Any, Any, Entry]:
    """An agency's answer in the topic, which nobody has decided. Its meta, its position and its entry."""
    case_id, offer = (next(iter(log.cases)), None) if log.cases else asked(log, "a")
    offer = offer or log.asked_first  # type: ignore[attr-defined]
    log.asked_first = offer  # type: ignore[attr-defined]
    body = response(offer, Word.ACKNOWLEDGE, name)
    meta, at = log.say(case_id, body, f"00000000-0000-4000-8000-{abs(hash(name)) % 10**12:012d}", case_id, "intake")
    return record_input(meta, body, at), at, log.entries[-1]


def test_an_honest_line_is_good_whenever_it_is_looked_at() -> None:
    for seed in range(2):
        line = LivedLine(seed=seed).live()
        assert sum(e.topic == NOTIFICATION for e in line.entries) > 50 and len(line.cases) == 10
        for size in cuts(line, 53):
            assert not checked(line, size).findings


@pytest.mark.parametrize("server", SERVICES)
@pytest.mark.parametrize("seed", [5, 6])
def test_an_hour_without_a_server_accuses_nobody(server: str, seed: int) -> None:
    line = LivedLine(away={server: (HOUR, 2 * HOUR)}, seed=seed).live()
    during = set[str]()
    for size in cuts(line, 41):
        report = checked(line, size)
        assert not bad(report), (size, bad(report))
        during |= {found.code for found in report.findings if not unread(found)} - HONEST
        assert all("not the agency" in f.what for f in report.findings if f.code in ("NOT_DECIDED", "OVERDUE", "NOT_KNOCKED"))
    after = {found.code for found in checked(line).findings if found.weight}
    assert during <= {"NOT_DECIDED", "OVERDUE", "NOT_KNOCKED", "BROKER_AWAY", "NOT_READ"}
    assert after == ({"NOT_KNOCKED"} if server == "notifier" else set()), "what was left undone meanwhile is done afterwards"


def test_routing_that_stands_still_is_not_accused_and_named() -> None:
    line = LivedLine(away={"routing": (HOUR, 9 * HOUR)}, seed=5).live()
    report = checked(line)
    assert report.exit_code() == 3 and of(report, "NOT_DECIDED") and of(report, "OVERDUE")
    assert all("routing stood still" in found.what for found in of(report, "NOT_DECIDED"))
    assert all("it stood still" in found.what for found in of(report, "OVERDUE"))


@pytest.mark.parametrize(
    ("line", "code", "who"),
    [
        (PassedOver, "NOT_DECIDED", "answerable: routing"),
        (CalledLost, "LOST_FALSE", "answerable: routing"),
        (Twice, "DECIDED_TWICE", ""),
        (Forgotten, "OVERDUE", "answerable: routing, or whoever emptied its table `routing.alarm`"),
        (SomeChildren, "NOT_KNOCKED", "answerable: the notifier"),
        (FirstRung, "NOT_KNOCKED", "answerable: the notifier"),
        (SaidReached, "NOT_KNOCKED", "the notifier says that a message has reached rung 0 of this offer, and has sent none"),
        (Emptied, "NOT_KNOCKED", "answerable: the notifier, or whoever emptied its plan"),
    ],
)
def test_an_omission_beside_a_line_that_goes_on_is_bad(line: type[LivedLine], code: str, who: str) -> None:
    found = bad(checked(omissions._lived(line)))
    assert found and {one.code for one in found} == {code} and who in found[0].what, found


def test_every_limit_forgotten_at_once_is_bad() -> None:
    found = bad(checked(omissions._lived(Forgotten, True)))
    assert found and {one.code for one in found} == {"OVERDUE"}


class NoAlarms(LivedLine):
    """Routing acts on no limit at all, and answers every input."""

    def decide(self, cause: Input) -> None:
        if not isinstance(cause.body, Due):
            super().decide(cause)


def test_a_routing_that_answers_everybody_and_acts_on_no_limit_is_bad() -> None:
    found = bad(checked(NoAlarms(seed=4, cases_=30).live()))
    assert found and {one.code for one in found} == {"OVERDUE"}


def test_an_alarm_proves_something_only_minutes_later() -> None:
    """A case that has an input in the same turn has its alarm in the next one."""
    line = omissions._lived(Forgotten)
    entry = next(e for e in line.entries if e.kind is Kind.DECISION)
    head = Head(kind=CauseKind.DUE, topic="alarm", partition=0, offset=0, facts=Facts(now=1, engine=1, free={}), due=7)
    for later, known in ((LATE_S * 1_000, {}), (LATE_S * 1_000 + 1, {entry.partition: 7})):
        report = Report()
        acted(entry, head, Evidence(end=entry.kafka_time + later), report)
        assert report.alarms == known


def test_what_audit_has_not_read_is_no_omission() -> None:
    line = omissions._lived(SomeChildren)
    unread = {f"{NOTIFICATION}/{partition}": 1 for partition in range(12)}
    for behind, count in (({}, True), (unread, False)):
        log = Log(entries=[*line.entries], keys=line.keys, now=line.now)
        log.entries = [*line.entries]
        log._known.size, log._known.now = len(line.entries), line.now
        log.beat({NOTIFICATION: [9] * 12}, **behind)
        report = checked(log)
        assert bool(of(report, "NOT_KNOCKED")) is count and bool(report.counts["rungs without a knock so far"]) is not count

    log = Log()
    _, at, _ = answered(log, "one")
    for behind, code in (({f"{ROUTING}/{at.partition}": 1}, []), ({}, ["NOT_DECIDED"])):
        for _ in range(7):
            log.now += MINUTE
            log.beat({ROUTING: [99] * 12}, **behind)
        assert [f.code for f in checked(log).findings if f.code == "NOT_DECIDED"] == code


def test_an_audit_that_is_always_one_record_behind_hides_no_omission() -> None:
    """The newest record of a busy partition is unread in each heartbeat, and what stood there minutes before is not."""
    line = NeverRead(seed=4, cases_=12).live()
    found = of(checked(line), "NOT_KNOCKED")
    assert found and {one.weight for one in found} == {Weight.UNCHECKED}
    assert all("audit says that newer records" in one.what and "answerable: the notifier" in one.what for one in found)

    log = Log()
    _, at, _ = answered(log, "one")
    for minute in range(14):
        log.now += MINUTE
        log.beat({ROUTING: [99 + minute] * 12}, **{f"{ROUTING}/{at.partition}": 98 + minute})
    assert [f.code for f in checked(log).findings if f.weight] == ["NOT_DECIDED"]


def test_an_honest_line_that_is_always_one_record_behind_has_no_omission() -> None:
    line = OneBehind(seed=4, cases_=12).live()
    assert sum(e.type == KnockSent.TYPE for e in line.entries) > 50
    for size in cuts(line, 23):
        assert not [found for found in checked(line, size).findings if found.weight]


def test_a_notifier_that_says_nothing_at_all_is_away_for_a_day_and_then_mute() -> None:
    line = omissions._lived(Mute)
    report = checked(line)
    silent = of(report, "NOT_KNOCKED")
    assert report.exit_code() == 3 and len(silent) > 20 and all("the notifier stood still" in found.what for found in silent)
    line = Mute(seed=4, cases_=5, hours=36).live()
    assert any("said nothing at all for a day" in found.what for found in bad(checked(line)))


def test_the_verdict_is_the_same_in_several_processes() -> None:
    line = omissions._lived(Forgotten)
    reports = [judge(Rows(line.entries), VerifyOptions(keys=line.keys, jobs=jobs), Bar(disable=True)).report for jobs in (1, 2)]
    ours = [sorted((f.code, f.idx or 0, f.what) for f in one.findings) for one in reports]
    assert ours[0] == ours[1] and any(code == "OVERDUE" for code, _, _ in ours[0])


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_no_story_has_an_omission(path: Any) -> None:
    story = read(path.stem)
    lines = [item["do"] for item in story["told"]]
    if "policy" in story or any(word in NOT_HONEST for line in lines for word in line.split()):
        pytest.skip("not one honest line under one policy")
    made = world(story, path.parent, policy())
    for line in lines:
        made.tell(line)
    if not made.log or any(getattr(cause.body, "TOPIC", "") == ROUTING for _, cause, _, _ in made.log):
        pytest.skip("begun by another case")
    if made.taken:
        pytest.skip("other cases hold places")
    log = ToldLog(made)
    case = next(iter(log.cases.values()))
    waits_past_a_limit = (due := next_due(case)) is not None and due < log.now
    report = checked(log)
    assert {found.code for found in report.findings if found.weight} <= ({"OVERDUE"} if waits_past_a_limit else set()) and not bad(report)


@pytest.mark.parametrize("jumps", [(), (HOUR, HOUR + 30 * MINUTE, 3 * HOUR)])
def test_a_stack_for_exercises_whose_clock_is_moved_has_no_omission(jumps: tuple[int, ...]) -> None:
    line = LivedLine(seed=8, jumps=jumps, drill=True, cases_=16).live()
    for size in cuts(line, 23):
        report = checked(line, size)
        assert not [found for found in report.findings if found.weight], (size, report.findings)


@pytest.mark.parametrize(
    ("line", "code"), [(PassedOver, "NOT_DECIDED"), (CalledLost, "LOST_FALSE"), (Forgotten, "OVERDUE"), (SomeChildren, "NOT_KNOCKED")]
)
def test_omissions_in_a_stack_for_exercises_are_found_by_the_order_and_the_broker_s_clock(line: type[LivedLine], code: str) -> None:
    found = bad(checked(line(seed=4, cases_=16, drill=True, jumps=(2 * HOUR,)).live()))
    assert found and {one.code for one in found} == {code}


# What the log cannot tell.


def test_without_a_heartbeat_it_is_said_what_cannot_be_checked() -> None:
    line = omissions._lived(SomeChildren)
    entries = [e for e in line.entries if e.kind is not Kind.HEARTBEAT]
    report = verify([structs.replace(e, idx=n) for n, e in enumerate(entries)], line.keys)
    assert not report.findings and report.counts["rungs without a knock, and no heartbeat says how late it is"] > 2


def test_a_run_since_an_older_checkpoint_does_not_know_who_switched_sending_off() -> None:
    line = omissions._lived(SomeChildren)
    old = Rows(line.entries)
    old.published = 100
    since = old.read("checkpoint")
    report = judge(Rows(line.entries), VerifyOptions(keys=line.keys, since=since), Bar(disable=True)).report
    assert of(report, "NOT_KNOCKED") and not bad(report)
    assert all("not read in this run" in found.what for found in of(report, "NOT_KNOCKED"))


class Switched(SomeChildren):
    """An operator switches sending off, and nobody is called meanwhile."""

    def notifier(self) -> None:
        if self.now - self.begun == HOUR:
            done = act(command="duty pause", state=State.DONE, at=self.now // 1_000_000)
            self._known.now = max(self._known.now, self.now)
            self.entries += ingest([], self._known, [Says(Kind.ADMINISTRATION, done.encode())]).entries
        super().notifier()

    def mute(self, asked: Question) -> bool:
        return self.now - self.begun >= HOUR


def test_an_operator_who_switches_sending_off_is_answerable_for_it() -> None:
    line = Switched(seed=4, cases_=12).live()
    report = checked(line)
    found = of(report, "NOT_KNOCKED")
    assert len(found) > 5 and not [f for f in bad(report) if f.code == "NOT_KNOCKED"]
    assert all("an operator had switched sending off" in one.what for one in found)


def test_a_message_that_a_missing_record_may_have_sent_is_no_finding_of_the_notifier() -> None:
    """A record of the notifier that is missing, set aside or unreadable may be the knock; it has its own finding."""
    line = LivedLine(seed=4, cases_=2).live()
    entry = next(e for e in line.entries if e.type == KnockSent.TYPE)
    assert any(e.type == RungReached.TYPE and (e.case_id, e.case_seq) == (entry.case_id, entry.case_seq + 1) for e in line.entries)
    kept = [structs.replace(e, idx=n) for n, e in enumerate(e for e in line.entries if e is not entry)]
    assert {f.code for f in bad(verify(kept, line.keys))} == {"SEQUENCE_GAP"}


def test_an_exercise_wakes_nobody_on_a_line_for_real_cases() -> None:
    line = Mute(seed=4, cases_=6, drill=True).live()
    report = checked(line)
    assert not of(report, "NOT_KNOCKED") and report.counts["rungs of exercises, whose knocks are not checked"] > 5


def test_the_last_records_are_in_flight() -> None:
    line = omissions._lived(PassedOver)
    passed = of(checked(line), "NOT_DECIDED")[0]
    assert line.entries[passed.idx or 0].type == ReferralSubmitted.TYPE
    early = checked(line, (passed.idx or 0) + 1)
    assert not of(early, "NOT_DECIDED") and early.counts["inputs in flight"] >= 1


def test_a_decision_that_audit_logged_before_its_input_is_not_bad_yet() -> None:
    """Audit reads topics beside one another: the end of a log may hold the answer, and the question not yet."""
    log = Log()
    following, at, entry = answered(log, "one")
    log.answer(following)
    log.entries = [structs.replace(e, idx=n) for n, e in enumerate(e for e in log.entries if e is not entry)]
    assert [f.code for f in bad(checked(log))] == ["INPUT"]
    unread = {f"{INTAKE}/{at.partition}": at.offset}
    log._known.size = len(log.entries)
    for behind, weight in (({}, Weight.BAD), (unread, Weight.UNCHECKED)):
        log.beat({INTAKE: [9] * 12}, **behind)
        assert [(f.code, f.weight) for f in checked(log).findings] == [("INPUT", weight)]


def test_the_first_pass_keeps_little_whatever_order_audit_read_the_topics_in() -> None:
    line = LivedLine(seed=1, cases_=30).live()
    progress = Progress()
    for entry in line.entries:
        progress.take(entry)
    assert len(progress.waiting) <= 2 and len(progress.asked) <= len(line.cases) and len(progress.early) <= EARLY


def test_a_forgotten_limit_is_told_at_routings_last_word_so_that_it_stays_the_same_finding() -> None:
    """It stood at the newest entry of the case: whoever read the file, or answered, made an acknowledged finding a new one."""
    line = lies.told(omitted.EVERY["limit-instead"])
    [found] = [one for one in verify(line.entries, line.keys).findings if one.code == "OVERDUE"]
    assert found.idx is not None and line.entries[found.idx].kind is Kind.DECISION
    assert any(entry.case_id == found.case_id and entry.idx > found.idx for entry in line.entries), "something came after it"
