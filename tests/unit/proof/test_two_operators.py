"""`verify` names an administrator's act that takes two operators, and is not that of two, whoever wrote it into the log."""

from __future__ import annotations

from msgspec import UNSET, structs

from referral.proof.act import Act, State, parse
from referral.proof.entry import Entry, Kind
from referral.proof.verify.log import verify
from referral.proof.verify.report import Weight
from referral.wire.act_table import BY_TWO, TOKENS
from referral.wire.signed import trust_lines
from referral.wire.signed.operator_word import LASTS_S, NO_OPERATORS, Operators
from referral.wire.signed.trust_lines import Keyword
from services.audit.ingest import Says, ingest
from tests.harness import made_log
from tests.harness.audit_log import Log
from tests.harness.two_operators import AT, BESA, FIRST, KEEPER, LINES, OPERATORS, SECOND, STRANGER, act, from_line


def logged(*acts: Act | bytes, lines: bytes = LINES) -> list[Entry]:
    """A log that names the operators, and then holds these acts, or other policy files."""
    log = Log()
    says = [Says(Kind.KEYS, made_log.policy() + lines)]
    says += [Says(Kind.KEYS, one) if isinstance(one, bytes) else Says(Kind.ADMINISTRATION, one.encode()) for one in acts]
    return [*log.entries, *ingest([], log._known, says).entries]


def alone(*acts: Act | bytes, lines: bytes = LINES, pinned: Operators = NO_OPERATORS) -> list[str]:
    """What `verify` says is bad of it. The made log's policy bundle, which no act put in force, is another finding."""
    found = verify(logged(*acts, lines=lines), {}, operators=pinned).findings
    bad = [one for one in found if one.weight is Weight.BAD and one.where != "bundle 1"]
    assert {one.code for one in bad} <= {"ACT_ALONE"}, bad
    return [one.what for one in bad]


def test_an_act_of_two_operators_is_good_and_each_other_one_is_bad() -> None:
    good = act()
    assert parse(good.encode()) == good and good.lacks(OPERATORS) == ""
    assert alone(good) == alone(good, pinned=OPERATORS) == []
    bad: dict[str, Act] = {
        "lacks a second operator's word": structs.replace(good, second=UNSET, signature=UNSET),
        "operator/keeper did not sign it": structs.replace(good, about=("account:b2",)),
        "the same operator": act(second=FIRST, other=KEEPER),
        "operator/agron, who gave the word, is no operator": act(second="operator/agron", other=STRANGER),
        "is not operator/besa's for this command": act(other=STRANGER),
        "operator/agron is no operator": act(by="operator/agron", key=STRANGER),
        "was not good at that time": act(at=AT + LASTS_S + 1),
    }
    more = [
        act(key=BESA),  # the second operator signs for the first: one person
        act(to="operator/agron"),
        act(given="staff enable"),
        act(other=KEEPER),
        act(at=AT - LASTS_S),
        structs.replace(good, signature=UNSET),
        structs.replace(good, at=good.at + 1),
        structs.replace(good, state=State.BEGUN),
    ]
    for what, one in bad.items():
        assert [what in said for said in alone(one)] == [True], (what, alone(one))
    assert [len(alone(one)) for one in more] == [1] * len(more)


def test_each_command_of_the_list_needs_two_and_no_other_does() -> None:
    for command in BY_TWO:
        assert len(alone(structs.replace(act(command=command), second=UNSET, signature=UNSET))) == 1
        assert alone(act(command=command)) == []
    ends = (("ca replace", ("ended:services-1",)), ("agency token", ("agency:school", "ended:school")), ("audit token", ("ended:court",)))
    for command, about in (("staff disable", ()), ("ca revoke", ()), ("policy activate", ()), *ends):
        assert alone(structs.replace(act(command=command, about=about), second=UNSET, signature=UNSET)) == []


def test_a_word_is_used_once_and_an_act_has_one_outcome() -> None:
    begun, done = (act(command="recover", state=state) for state in (State.BEGUN, State.DONE))
    assert alone(begun, done) == []
    (again,) = alone(act(), structs.replace(act(), id="b" * 32).signed(KEEPER))
    assert "the word was used before, in entry" in again
    assert len(alone(begun, done, done)) == 1, "a second outcome is another act"
    cheap = structs.replace(act(command="ca crl", state=State.BEGUN), second=UNSET, signature=UNSET)
    assert len(alone(cheap, structs.replace(cheap, command="ca sign", state=State.DONE))) == 1, "nothing is the outcome of another command"


def test_the_auditors_own_operators_go_before_those_that_the_log_names() -> None:
    stranger = trust_lines.key_line(Keyword.OPERATOR, "agron", STRANGER.public_key().public_bytes_raw())
    forged = act(second="operator/agron", other=STRANGER)
    assert alone(forged, lines=LINES + stranger) == []
    assert len(alone(forged, lines=LINES + stranger, pinned=OPERATORS)) == 1
    plain = structs.replace(act(), second=UNSET, signature=UNSET)
    assert alone(plain, lines=b"") == [] and len(alone(plain, lines=b"", pinned=OPERATORS)) == 1
    report = verify(logged(made_log.policy()), {})
    assert [one.code for one in report.findings if one.code == "OPERATORS"] == ["OPERATORS"], "whoever takes them out is seen to"


def test_acts_of_before_need_no_second_operator() -> None:
    plain = structs.replace(act(), second=UNSET, signature=UNSET)
    at = logged(plain)[-1].logged_at
    for since, bad in ((at + 2_000_000, 0), (at - 5_000_000, 1)):
        assert len(alone(plain, lines=LINES + from_line(since).encode())) == bad
    lines = LINES + b"# two-operators-for-tokens-from 2999-01-01T00:00:00Z\n"
    for command in TOKENS:
        assert alone(structs.replace(plain, command=command), lines=lines) == [], "release 0.1.0 made tokens by one"
        assert len(alone(plain, lines=lines)) == 1 == len(alone(structs.replace(plain, command=command), lines=LINES))
    again = LINES + from_line(AT * 1_000_000).encode() + b"# follows log.example/before\n"
    old, new = (structs.replace(plain, id=str(n) * 32, at=(AT + n) * 1_000_000) for n in (0, 2))
    assert alone(old, lines=again) == [], "a new log has every act again, under its own times"
    assert len(alone(new, old, lines=again)) == 2, "an act that is dated back behind another is of after"


def test_replay_names_both() -> None:
    assert str(act()) == f"{FIRST} with {SECOND}: `referral staff password`, about account:a1"
