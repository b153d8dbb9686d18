"""The auditor checks what agencies signed: the signature itself, the place, the key at that index, and who should have signed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from referral.domain import events as e
from referral.proof.history import words
from referral.proof.history.timeline import timeline
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report, Weight
from referral.runtime import i18n
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import codec, headers, policy_digest
from tests.harness.audit_log import FILES, MINUTE, Log, _id, story
from tests.harness.made_child import CHILD
from tests.harness.signing_school import KEY, OTHER, SAID, activate, by_http, by_kafka, refer

TEXTS = i18n.load(words.FILE)


def judged(log: Log) -> Report:
    return verify(log.entries, log.keys)


def codes(log: Log) -> list[tuple[Weight, str]]:
    return [(found.weight, found.code) for found in judged(log).findings]


def test_what_was_signed_is_counted_and_good() -> None:
    log = Log()
    activate(log, 2, KEY, must=True)
    refer(log, by_http())
    refer(log, by_kafka(), "kafka", door=e.Door.KAFKA)
    report = judged(log)
    assert not report.findings and report.counts["signatures"] == 2 and report.exit_code() == 0


def test_the_story_says_what_was_signed() -> None:
    log = Log()
    activate(log, 2, KEY)
    refer(log, by_http())
    refer(log, None, "bare")
    told = [timeline([one for one in log.entries if one.case_id == case], key)[0].what for case, key in log.keys.items()]
    assert told == [
        "school-drita refers: trafficking, child, urgent, by HTTP, signed (what was sent, not these words)",
        "school-drita refers: trafficking, child, urgent, by HTTP",
    ]


def lines(log: Log, language: str = "en") -> list[str]:
    """The first line of each case."""
    return [timeline([one for one in log.entries if one.case_id == case], key, TEXTS[language])[0].what for case, key in log.keys.items()]


@pytest.mark.parametrize("language", list(TEXTS))
def test_signed_stands_only_beside_words_that_the_signature_covers(language: str) -> None:
    log = Log()
    activate(log, 2, KEY)
    refer(log, None, "bare")
    refer(log, by_http(), "bytes")
    refer(log, by_http(body=SAID), "bound", sections=("contact",))
    refer(log, by_http(body=SAID), "otherwise", sections=("contact", "narrative"))
    bare, *signed = lines(log, language)
    assert [line.removeprefix(bare) for line in signed] == [
        TEXTS[language](part) for part in ("part.signed.bytes", "part.signed", "part.signed.otherwise")
    ]
    assert len({*signed}) == 3


REWRITTEN: list[dict[str, Any]] = [
    {"traits": structs.replace(CHILD, age="adult")},
    {"traits": structs.replace(CHILD, urgency="routine")},
    {"traits": structs.replace(CHILD, found_in="gjakova", home="gjakova")},
    {"sections": ()},
    {"sections": ("contact",), "excludes": ("agency:police-prizren",)},
    {"sections": ("contact",), "opens": False},
    {
        "sections": ("contact",),
        "consent": e.Consent(state=e.ConsentState.GIVEN, basis="consent", giver="guardian", scope=(), recipients=()),
    },
]


@pytest.mark.parametrize("change", REWRITTEN)
def test_words_that_intake_changed_are_signed_otherwise(change: dict[str, Any]) -> None:
    for signed, door in ((by_http(body=SAID), e.Door.HTTP), (by_kafka(body=SAID), e.Door.KAFKA)):
        log = Log()
        activate(log, 2, KEY, must=True)
        refer(log, signed, door=door, **{"sections": ("contact",)} | change)
        [found] = judged(log).findings
        assert (found.weight, found.code, found.layer) == (Weight.BAD, "SIGNED_OTHERWISE", "signature")
        assert "intake recorded something else than school-drita signed" in found.what


def test_an_exercise_that_was_a_real_child_is_signed_otherwise() -> None:
    for signed, door in ((by_http(body=SAID), e.Door.HTTP), (by_kafka(body=SAID), e.Door.KAFKA)):
        log = Log()
        activate(log, 2, KEY, must=True)
        log.drill = True
        refer(log, signed, door=door, sections=("contact",))
        assert codes(log) == [(Weight.BAD, "SIGNED_OTHERWISE")]


def test_words_that_were_signed_are_good_and_counted() -> None:
    log = Log()
    activate(log, 2, KEY, must=True)
    refer(log, by_http(body=SAID), sections=("contact",))
    refer(log, by_kafka(body=SAID), "kafka", sections=("contact",), door=e.Door.KAFKA)
    refer(log, by_http(kind="application/json; a=1"), "of before")
    report = judged(log)
    assert not report.findings and report.counts["signatures"] == 3 and report.counts["signed words"] == 2


def test_an_answer_that_intake_turned_round_is_signed_otherwise() -> None:
    offer_id = _id("offer")
    signed = by_http(f"/v1/offers/{offer_id}/responses", body={"word": "ACCEPT", "via": "SYSTEM"})
    for word, found in ((e.Word.ACCEPT, []), (e.Word.DECLINE, [(Weight.BAD, "SIGNED_OTHERWISE")])):
        log = Log()
        activate(log, 2, KEY, must=True)
        answer = e.ResponseSubmitted(
            response_id=_id("response"),
            offer_id=offer_id,
            agency="school-drita",
            word=word,
            reason="",
            code="",
            recorded=(),
            via=e.Via.SYSTEM,
            received_at=log.now,
            signed=signed,
        )
        log.input(_id("case one"), answer, "answer")
        assert codes(log) == found


def test_every_changed_part_of_a_signature_is_bad() -> None:
    good = by_http()
    for wrong in (
        structs.replace(good, signature=bytes(64)),
        structs.replace(good, base=good.base.replace(b"POST", b"PUT")),
        structs.replace(good, base=b"x", signature=KEY.sign(b"x", 0)),
        structs.replace(good, public=OTHER.verifier.public),
        structs.replace(good, agency="csw-prizren"),
        structs.replace(good, scheme=e.Scheme.UNKNOWN),
        structs.replace(good, scheme=e.Scheme.CLOUDEVENT),
        by_http("/v1/offers/x/responses"),
        by_http(method="PUT"),
        by_kafka(),
    ):
        log = Log()
        activate(log, 2, KEY)
        refer(log, wrong)
        assert codes(log) == [(Weight.BAD, "SIGNATURE_WRONG")], wrong


def test_a_record_signed_for_another_topic_or_number_is_bad() -> None:
    for wrong in (
        by_kafka(topic="ingress.csw-prizren"),
        structs.replace(by_kafka(), sequence=2),
        structs.replace(by_kafka(), signature=bytes(64)),
        structs.replace(by_kafka(), base=bytes(500)),
    ):
        log = Log()
        activate(log, 2, KEY)
        refer(log, wrong, door=e.Door.KAFKA)
        assert codes(log) == [(Weight.BAD, "SIGNATURE_WRONG")]


def test_a_signature_taken_over_by_another_event_is_bad() -> None:
    for signed, door in ((by_http(), e.Door.HTTP), (by_kafka(), e.Door.KAFKA)):
        log = Log()
        activate(log, 2, KEY)
        refer(log, signed, door=door)
        refer(log, signed, "again", door=door)
        assert codes(log) == [(Weight.BAD, "SIGNATURE_REUSED")]


def test_one_signature_of_a_file_stands_in_each_of_its_referrals() -> None:
    log = Log()
    activate(log, 2, KEY)
    refer(log, by_http(kind="text/csv"))
    refer(log, by_http(kind="text/csv"), "again")
    assert not codes(log)


def test_a_key_counts_at_the_index_of_the_entry() -> None:
    log = Log()
    refer(log, by_http(), "before")
    activate(log, 2, KEY)
    refer(log, by_http(kind="application/json; a=1"), "in time")
    activate(log, 3, OTHER)
    refer(log, by_http(kind="application/json; a=2"), "after")
    assert codes(log) == [(Weight.UNCHECKED, "SIGNATURE_KEY_LATER"), (Weight.UNCHECKED, "SIGNATURE_KEY_REVOKED")]
    log = Log()
    activate(log, 2, OTHER)
    refer(log, by_http())
    assert codes(log) == [(Weight.BAD, "SIGNATURE_KEY_UNKNOWN")]


def test_who_must_sign_and_did_not_is_bad_and_a_race_with_the_rule_is_not() -> None:
    log = Log()
    activate(log, 2, KEY, must=True)
    refer(log, None, received_at=log.now + 61_000_000)
    assert codes(log) == [(Weight.BAD, "SIGNATURE_MISSING")]
    log = Log()
    activate(log, 2, KEY, must=True)
    refer(log, None)
    assert codes(log) == [(Weight.UNCHECKED, "SIGNATURE_EARLY")]
    log = Log()
    refer(log, None)
    activate(log, 2, KEY, must=True)
    activate(log, 3, KEY, must=True)
    refer(log, None, "again")
    assert codes(log) == [(Weight.BAD, "SIGNATURE_MISSING")]


def test_people_and_the_system_itself_sign_nothing() -> None:
    log = Log()
    files = dict(FILES)
    for agency in ("school-drita", "police-prizren"):
        key = SignerKey(agency, ED25519, bytes(32)).verifier.encode().decode()
        files[f"directory/{agency}.yaml"] += f'signing: {{must: true, keys: ["{key}"]}}\n'.encode()
    body = e.PolicyActivated(number=2, digest=policy_digest.digest(files), at=log.now, files=files, valid_from=0, before="")
    told = headers.plain(e.PolicyActivated.TYPE, id=_id("policy 2"), source="routing", at=log.now)
    log.put(e.PolicyActivated.TOPIC, 0, b"2", codec.encode(body), told)
    log.now += 10 * MINUTE
    refer(log, None, door=e.Door.WEB)
    refer(log, None, "raised", door=e.Door.SYSTEM)
    story(log)  # the school's system did not sign; the officer answered in the inbox
    assert codes(log) == [(Weight.BAD, "SIGNATURE_MISSING")]


def test_an_answer_is_taken_back_by_whoever_sends_it() -> None:
    """By the agency's system, which must sign; by its people, or by a desk's for an agency on the telephone, who do not."""
    offer_id = _id("offer")

    def found(by: str | None = None, recorded_by: str | None = None, signed: e.Signed | None = None) -> list[tuple[Weight, str]]:
        log = Log()
        activate(log, 2, KEY, must=True)
        at = log.now + 61_000_000
        back = e.AnswerWithdrawn(
            offer_id=offer_id, agency="school-drita", by=by, recorded_by=recorded_by, received_at=at, claim=None, signed=signed
        )
        log.input(_id("case one"), back, "back")
        return codes(log)

    assert found(recorded_by=_id("desk")) == found(by=_id("officer")) == []
    assert found() == [(Weight.BAD, "SIGNATURE_MISSING")]
    path = f"/v1/offers/{offer_id}/withdrawal"
    assert found(signed=by_http(path)) == []
    for wrong in (by_http(f"/v1/offers/{offer_id}/responses"), structs.replace(by_http(path), agency="csw-prizren")):
        assert found(signed=wrong) == [(Weight.BAD, "SIGNATURE_WRONG")]
