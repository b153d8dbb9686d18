"""What examples/ shows an agency is what the door takes under the policy of this checkout."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from referral.domain.events import Door
from referral.domain.rules.conditions import trait_marks
from referral.errors import Rejected
from referral.wire import codec
from services.intake import policy_view
from services.intake.messages import responses, strict_json, submission
from services.intake.policy_view import Lists
from tests.harness import shipped

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
ID = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"


@cache
def in_force() -> Lists:
    return policy_view.of(shipped.compiled(), 1)


def bodies() -> list[bytes]:
    found = [path.read_bytes() for path in sorted(EXAMPLES.glob("referral*.json"))]
    for line in (EXAMPLES / "referrals.jsonl").read_bytes().splitlines():
        record = json.loads(line)
        record.pop("key")
        found.append(json.dumps(record).encode())
    return found


@pytest.mark.parametrize("body", bodies())
def test_a_referral_of_the_examples_is_taken(body: bytes) -> None:
    found = submission.submission(body, in_force())
    event = submission.event(found, referral_id=ID, agency="school-drita", door=Door.HTTP, received_at=1)
    assert codec.decode(event.TYPE, codec.fingerprint(event.TYPE), codec.encode(event)) == event
    assert found.drill, "the examples are exercises"


def test_there_is_an_example_for_every_procedure() -> None:
    """Named after the procedure that it begins; the first of all is the one for trafficked children."""
    rules, begun = shipped.compiled(), {}
    for path in sorted(EXAMPLES.glob("referral*.json")):
        event = submission.event(
            submission.submission(path.read_bytes(), in_force()), referral_id=ID, agency="school-drita", door=Door.HTTP, received_at=1
        )
        standing = trait_marks(event.traits)
        begun[path.stem.removeprefix("referral").removeprefix("-")] = {p.id for p in rules.current if all(g & standing for g in p.applies)}
    assert begun.pop("") == begun.pop("short") == {"trafficking-child"}
    assert begun == {pathway.id: {pathway.id} for pathway in rules.current if pathway.id != "trafficking-child"}


def test_the_other_examples_are_taken() -> None:
    def read(name: str, kind: Any) -> Any:
        return strict_json.parse((EXAMPLES / name).read_bytes(), kind)

    assert responses.consent(read("consent.json", submission.ConsentBody), in_force(), agency="csw-prizren", at=1).consent.until
    assert (
        responses.exclusion(read("exclusion.json", responses.ExclusionBody), in_force(), agency="csw-prizren", by=None, at=1).actor
        == "parent"
    )
    instruction = read("instruction.json", responses.InstructionBody)
    assert responses.instruction(instruction, in_force(), id=ID, agency="desk-prizren", by=None, at=1).step == "shelter"
    withdrawal = read("withdrawal.json", responses.WithdrawalBody)
    assert responses.withdrawal(withdrawal, in_force(), referral_id=ID, agency="school-drita", at=1).reason == "entered-in-error"
    assert set(read("answer.json", responses.AnswerBody).texts) == set(in_force().codes["need"])


def test_the_policy_has_every_list_that_the_door_asks() -> None:
    traits = "concern age age-band sex municipality urgency origin asylum language flag"
    rest = "basis giver section written agency reason need step target relation instruction-reason withdrawal-reason"
    missing = [name for name in f"{traits} {rest}".split() if not in_force().codes.get(name)]
    assert not missing
    assert set(in_force().desks) == set(in_force().codes["municipality"])
    assert "unknown" in in_force().codes["age-band"], "what the door fills in when a field is left out"


def test_what_is_told_from_traits_or_with_answers_is_not_written() -> None:
    for section in ("age-band", "sex", "language", "reason", "child-view"):
        assert section in in_force().codes["section"]
        with pytest.raises(Rejected):
            submission.section(section, {"a": 1}, in_force(), "$")
