"""`referral audit receipt`: the words that intake signed in a receipt, beside those that it recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs, to_builtins

from referral import client
from referral.cli.app import run
from referral.proof.entry import INTAKE
from referral.wire.signed import trust_lines
from services.intake.api import receipts
from services.intake.messages.words import Said
from services.intake.model import Receipt
from tests.harness import erased, made_log
from tests.harness.audit_archive import Rows, auditor_key, exported
from tests.harness.audit_log import Log
from tests.harness.made_child import CHILD
from tests.harness.signing_school import SAID, SALT, refer


@dataclass(frozen=True)
class Given:
    """What an auditor has. receipt: as the sender gives it."""

    folder: Path
    receipt: dict[str, Any]

    def compared(self, *more: object, **changed: object) -> int:
        (self.folder / "receipt.json").write_text(json.dumps({**self.receipt, **changed}))
        (self.folder / "body.json").write_text(json.dumps(SAID))
        asked = more or ("--salt", SALT, "--key", auditor_key(self.folder))
        words = ["receipt", self.folder / "receipt.json", self.folder / "log", "--body", self.folder / "body.json", *asked]
        return run(["audit", *map(str, words)])


def given(folder: Path, age: str, said: dict[str, Any] = SAID) -> Given:
    """A referral of a child that stands in the log with this age, and the receipt that intake gave. said: the words that it signed."""
    log = Log()
    refer(log, None, traits=structs.replace(CHILD, age=age), sections=("contact",))
    rows = Rows(log.entries)
    rows.policy = made_log.policy() + trust_lines.intake_line(erased.INTAKE.intake[0])
    exported(folder / "log", rows, log.keys)
    entry = next(entry for entry in log.entries if entry.topic == INTAKE)
    made = Receipt(kind="referral", id="r", case_id=entry.case_id, event_id=entry.event_id, received_at=log.now)
    told = receipts.referral_receipt(made, erased.KEY, Said(salt=SALT, digest=client.event_digest(said, SALT)))
    return Given(folder, to_builtins(told))


def test_a_receipt_of_other_words_than_the_logs_is_intakes_breach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert given(tmp_path, "adult").compared() == 1
    said = capsys.readouterr().err
    assert "intake signed two things" in said and "not the sender" in said


def test_a_receipt_of_the_logs_words_is_good_and_what_cannot_be_compared_is_neither(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = given(tmp_path, CHILD.age)
    assert one.compared() == 0 and "has the words of this receipt" in capsys.readouterr().out
    assert one.compared("--salt", SALT) == 3 and "was not lent" in capsys.readouterr().err
    assert one.compared(event_digest="") == 3 and "no digest" in capsys.readouterr().err
    assert one.compared("--salt", f"{SALT}x", "--key", auditor_key(tmp_path)) == 3, "whoever has another salt accuses nobody"


@pytest.mark.parametrize("name", ["event_digest", "event_signature", "signature", "event_id", "logged_by"])
def test_a_receipt_that_intake_did_not_sign_accuses_nobody(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    one = given(tmp_path, CHILD.age)
    assert one.compared(**{name: "2030-01-01T00:00:00Z" if name == "logged_by" else "AAAA"}) == (3 if name == "event_digest" else 1)
    said = capsys.readouterr().err
    assert "two things" not in said and ("not signed" in said or "no signature" in said or "not of this body" in said), said


def test_an_event_that_the_log_does_not_have_is_no_breach_of_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = given(tmp_path, CHILD.age)
    made = Receipt(kind="referral", id="r", case_id="c", event_id="e", received_at=1)
    other = receipts.referral_receipt(made, erased.KEY, Said(salt=SALT, digest=client.event_digest(SAID, SALT)))
    assert Given(tmp_path, to_builtins(other)).compared() == 3 and one
    assert "no entry of the event" in capsys.readouterr().err
