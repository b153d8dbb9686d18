"""An administrator's act in the log: only what the log may keep for ever is one, and verify lists each act once."""

from __future__ import annotations

import pytest
from msgspec import structs

from referral.errors import Malformed
from referral.proof.act import Act, State, parse, token
from referral.proof.entry import Entry, Kind, digest
from referral.proof.history.timeline import own_line
from referral.proof.verify.log import verify

ADDED = Act(id="a" * 32, command="staff add", state=State.DONE, by="operator/besa", at=1, arguments="0" * 64, about=("agency:police",))


def entry(idx: int, value: bytes) -> Entry:
    return Entry(
        idx=idx, kind=Kind.ADMINISTRATION, topic="", partition=-1, offset=-1, kafka_time=0, key=None, value=value, sha256=digest(value)
    )


def test_an_act_is_read_as_it_was_written_and_nothing_else_is_one() -> None:
    assert parse(ADDED.encode()) == ADDED
    wrong = (
        structs.replace(ADDED, id="1"),
        structs.replace(ADDED, command="staff add besa.k"),
        structs.replace(ADDED, by="Besa K."),
        structs.replace(ADDED, arguments="--email besa@example.org"),
        structs.replace(ADDED, about=("mail:besa@example.org",)),
    )
    for value in (*(one.encode() for one in wrong), b"", b"{}", ADDED.encode()[:-1] + b',"name":"Besa"}'):
        with pytest.raises(Malformed):
            parse(value)


def test_verify_counts_each_act_once_and_names_those_without_an_end() -> None:
    begun = structs.replace(ADDED, id="b" * 32, command="recover", state=State.BEGUN, about=())
    killed = structs.replace(begun, id="c" * 32, command="ca sign")
    broke = structs.replace(begun, id="d" * 32, state=State.BEGUN)
    acts = (ADDED, structs.replace(ADDED, id="e" * 32), begun, structs.replace(begun, state=State.DONE), killed, broke)
    acts = (*acts, structs.replace(broke, state=State.FAILED))
    report = verify([entry(idx, act.encode()) for idx, act in enumerate(acts)], {})
    assert report.counts["acts"] == 5
    found = {(each.code, each.idx): each.what for each in report.findings if each.code.startswith("ACT")}
    assert found["ACT", 0] == "operator/besa: `referral staff add`; 2 times, last in entry 1"
    assert found["ACT", 3] == "operator/besa: `referral recover`" and "broke off" in found["ACT", 6]
    assert set(found) == {("ACT", 0), ("ACT", 3), ("ACT", 6), ("ACT_OPEN", 4)} and "ca sign" in found["ACT_OPEN", 4]
    assert "no entry says how it ended" in found["ACT_OPEN", 4]


def test_an_act_that_somebody_changed_is_bad_and_replay_says_the_others_in_words() -> None:
    assert [each.code for each in verify([entry(0, b"x")], {}).findings if each.idx == 0 and "act" in each.what] == ["BODY"]
    assert own_line(entry(0, ADDED.encode())).what == "operator/besa: `referral staff add`, about agency:police"
    assert own_line(entry(0, b"x")).what == "an operator changed something"


def test_a_token_is_named_by_the_first_digits_of_its_digest() -> None:
    assert token(bytes(range(32))) == "token:0001020304050607"
