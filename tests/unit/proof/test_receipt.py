"""A kept proof against a kept receipt: what is of another referral, log, quorum or program never counts as proven."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec import structs

from referral import client
from referral.cli import console
from referral.cli.app import run
from referral.client import Client, Problem
from referral.domain.events import EntryKind, Leaf
from referral.errors import Malformed, NewerVersion, Unproven
from referral.proof import receipt as receipts
from referral.wire import leaf as wire
from referral.wire.signed import trust_lines
from services.intake.api import receipts as door_receipts
from services.intake.api import schemas
from services.intake.messages.timestamps import micros
from services.intake.messages.words import Said
from services.intake.model import Receipt
from tests.harness import made_log
from tests.harness.erased import INTAKE, KEY

CASE, EVENT, OTHER = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
REFERRAL = "00000000-0000-4000-8000-00000000000a"
RECEIPT = {"referral_id": "r", "case_id": CASE, "event_id": EVENT, "received_at": "2026-01-01T00:00:00Z"}
LEAF = Leaf(
    kind=EntryKind.EVENT,
    logged_at=5,
    topic="referral-intake",
    partition=1,
    offset=2,
    kafka_time=3,
    sha256=bytes(32),
    rest=bytes(32),
    event_id=EVENT,
    type="referral-submitted.v1",
    fingerprint=1,
    case_id=CASE,
    case_seq=1,
    cause_id=OTHER,
    recorded_at=4,
)


def proof(leaf: bytes | None = wire.encode(LEAF), extra: bytes | None = wire.encode(LEAF), witnesses: int = 3) -> bytes:
    """The proof of a leaf among others. extra: what the file says that the leaf is."""
    log = made_log.Log([b"a", b"b", leaf or b"", b"d", b"e"])
    found = log.proof(2, witnesses=made_log.WITNESSES[:witnesses])
    return structs.replace(found, extra=extra).encode()


def test_what_belongs_together_is_proven() -> None:
    found = receipts.check(RECEIPT, proof(), made_log.policy())
    assert (found.index, found.size, found.log, found.logged_at) == (2, 5, made_log.ORIGIN, 5)
    assert found.witnesses == ("w1", "w2", "w3") and (found.event_id, found.case_id) == (EVENT, CASE)


@pytest.mark.parametrize("name", ["event_id", "case_id"])
def test_the_proof_of_another_event_proves_nothing(name: str) -> None:
    with pytest.raises(Unproven, match=f"the {name} of the leaf"):
        receipts.check({**RECEIPT, name: OTHER}, proof(), made_log.policy())
    with pytest.raises(Unproven, match=name):
        receipts.check({key: value for key, value in RECEIPT.items() if key != name}, proof(), made_log.policy())


def test_a_leaf_that_is_only_claimed_proves_nothing() -> None:
    claimed = wire.encode(structs.replace(LEAF, offset=9))
    for one in (proof(extra=claimed), proof(extra=None), proof(leaf=claimed)):
        with pytest.raises(Unproven):
            receipts.check(RECEIPT, one, made_log.policy())


def test_an_event_of_another_topic_is_no_receipt() -> None:
    leaf = wire.encode(structs.replace(LEAF, topic="referral-routing"))
    with pytest.raises(Unproven, match="referral-routing"):
        receipts.check(RECEIPT, proof(leaf, leaf), made_log.policy())


def test_too_few_witnesses_or_another_log_prove_nothing() -> None:
    with pytest.raises(Malformed):
        receipts.check(RECEIPT, proof(witnesses=2), made_log.policy())
    assert receipts.check(RECEIPT, proof(witnesses=2), made_log.policy("2")).witnesses == ("w1", "w2")
    key = made_log.LOG.verifier.encode()
    policy = made_log.policy().replace(key, structs.replace(made_log.LOG, seed=bytes(32)).verifier.encode())
    with pytest.raises(Malformed):
        receipts.check(RECEIPT, proof(), policy)


def test_a_leaf_of_a_newer_program_is_neither_good_nor_bad() -> None:
    newer = wire.MARK + bytes(8) + wire.encode(LEAF)[10:]
    with pytest.raises(NewerVersion):
        receipts.check(RECEIPT, proof(newer, newer), made_log.policy())


def test_every_byte_of_a_proof_counts() -> None:
    """One bit of each byte: nothing is proven, or (in a witness's time, which nobody needs for the quorum) the same is."""
    good, policy = proof(), made_log.policy()
    for at in range(len(good)):
        with pytest.raises(Malformed):
            receipts.check(RECEIPT, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], policy)


def test_the_command_checks_what_was_kept_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipt, policy = tmp_path / "receipt.json", tmp_path / "log.policy"
    receipt.write_text(json.dumps(RECEIPT))
    policy.write_bytes(made_log.policy())
    kept = tmp_path / "receipt.json.tlog-proof"
    command = ["receipt", str(receipt), "--policy", str(policy), "--url", "http://127.0.0.1:9"]
    kept.write_bytes(proof())
    assert run(command) == 0 and "PROVEN: leaf 2 of 5" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0 and json.loads(capsys.readouterr().out)["index"] == 2
    kept.write_bytes(proof(witnesses=1))
    assert run(command) == 1 and run([*command, "--json"]) == 1
    newer = wire.MARK + bytes(8) + wire.encode(LEAF)[10:]
    kept.write_bytes(proof(newer, newer))
    assert run(command) == 3
    receipt.write_text("no receipt")
    assert run(command) == 2


def signed(**other: object) -> dict[str, object]:
    """A receipt as the door gives it. other: what was changed since."""
    made = Receipt(kind="referral", id=REFERRAL, case_id=CASE, event_id=EVENT, received_at=1_800_000_000_000_000)
    return {**structs.asdict(door_receipts.referral_receipt(made, KEY)), **other}


TRUSTED = made_log.policy() + trust_lines.intake_line(INTAKE.intake[0])


def test_a_receipt_is_signed_and_says_until_when_it_must_be_logged() -> None:
    told = signed()
    until = receipts.promised(told, TRUSTED)
    assert until - datetime.fromisoformat(str(told["received_at"])) == timedelta(seconds=receipts.PROMISE_S)
    client.check_receipt(told, TRUSTED)
    act = Receipt(kind="response", id=OTHER, case_id=CASE, event_id=EVENT, received_at=1)
    for one in (door_receipts.act_receipt(act, KEY), schemas.submission(act, (), KEY)):
        assert receipts.promised(structs.asdict(one), TRUSTED) and client.check_receipt(structs.asdict(one), TRUSTED) is None


WORDS = Said(salt="s" * 22, digest=client.event_digest({"traits": {"age": "child"}}, "s" * 22))


@pytest.mark.parametrize("kind", ["referral", "response"])
def test_intake_signs_the_words_that_it_recorded_and_the_sdk_compares_them(kind: str) -> None:
    """With the policy file, so that nobody between can take the second signature away."""
    made = Receipt(kind=kind, id=REFERRAL, case_id=CASE, event_id=EVENT, received_at=1_800_000_000_000_000)
    told = msgspec.to_builtins((door_receipts.referral_receipt if kind == "referral" else door_receipts.act_receipt)(made, KEY, WORDS))
    bare = {name: value for name, value in told.items() if name not in ("event_digest", "event_signature")}
    for answer, says in (
        (told, ""),
        ({**told, "event_digest": "0" * 64}, "other words"),
        ({**told, "event_signature": told["signature"]}, "did not sign"),
        (bare, "did not sign"),
    ):
        transport = httpx.MockTransport(lambda _, answer=answer: httpx.Response(202, json=answer))
        with Client("https://intake", "token", policy=TRUSTED, transport=transport) as school:
            if says:
                with pytest.raises(client.RecordedOtherwise, match=says):
                    school.submit({"traits": {"age": "child"}}, salt="s" * 22)
            else:
                assert school.submit({"traits": {"age": "child"}}, salt="s" * 22) == told
    for lie in ({"event_digest": "0" * 64}, {"event_signature": told["signature"]}, {"event_signature": ""}):
        with pytest.raises(Unproven, match="digest of the words"):
            receipts.promised({**told, **lie}, TRUSTED)
    assert receipts.promised(told, TRUSTED), "a program of before checks the first signature as ever"
    assert "event_digest" not in msgspec.to_builtins(door_receipts.act_receipt(made, KEY))


@pytest.mark.parametrize("name", ["referral_id", "case_id", "event_id", "received_at", "logged_by", "signature"])
def test_a_receipt_that_was_changed_or_that_intake_did_not_sign_is_nobodys_promise(name: str) -> None:
    lies: list[dict[str, object]] = [signed(**{name: "2030-01-01T00:00:00Z" if name in ("received_at", "logged_by") else "AAAA"})]
    lies.append({key: value for key, value in signed().items() if key != name})
    for told in lies:
        with pytest.raises(Unproven):
            receipts.promised(told, TRUSTED)
        with pytest.raises(client.Unsigned):
            client.check_receipt(told, TRUSTED)
    other = made_log.policy() + trust_lines.intake_line(bytes(range(32)))
    with pytest.raises(Unproven):
        receipts.promised(signed(), other)
    with pytest.raises(Malformed, match="no line"):
        receipts.promised(signed(), made_log.policy())


def test_the_command_proves_no_receipt_whose_signature_was_taken_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipt, policy = tmp_path / "receipt.json", tmp_path / "log.policy"
    policy.write_bytes(TRUSTED)
    (tmp_path / "receipt.json.tlog-proof").write_bytes(proof())
    older = signed(signature=None, received_at="2020-01-01T00:00:00Z")
    for told, code in ((signed(), 0), (signed(signature=""), 1), (older, 1), (RECEIPT, 1)):
        receipt.write_bytes(msgspec.json.encode(told))
        assert run(["receipt", str(receipt), "--policy", str(policy), "--url", "http://127.0.0.1:9"]) == code, told
        assert ("PROVEN" in capsys.readouterr().out) is (code == 0)


def test_the_command_says_bad_when_the_promised_time_is_over_and_no_proof_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swallowed referral: taken with 202, and never said. The agency holds what proves it."""
    receipt, policy = tmp_path / "receipt.json", tmp_path / "log.policy"
    policy.write_bytes(TRUSTED)
    now = datetime.now(UTC)
    codes = {"code": "not-logged-yet"}, {"code": "unavailable"}
    for status, code in zip((404, 503), codes, strict=True):
        transport = httpx.MockTransport(lambda _, status=status, code=code: httpx.Response(status, json=code))  # type: ignore[misc]
        monkeypatch.setattr(console, "client", lambda *_: Client("https://i", "t", transport=transport, sleep=lambda _: None))  # noqa: B023
        for age, result, words in ((590, 3, "intake has promised it by"), (610, 1, "BAD: intake promised, and signed")):
            made = Receipt(kind="referral", id=REFERRAL, case_id=CASE, event_id=EVENT, received_at=micros(now - timedelta(seconds=age)))
            receipt.write_bytes(msgspec.json.encode(door_receipts.referral_receipt(made, KEY)))
            assert run(["receipt", str(receipt), "--policy", str(policy), "--wait", "0"]) == result
            said = capsys.readouterr().err
            assert words in said and ("telephone the desk now" in said) == (result == 1)
    receipt.write_text(json.dumps(signed(case_id=OTHER)))
    assert run(["receipt", str(receipt), "--policy", str(policy)]) == 1
    assert "intake has not signed this" in capsys.readouterr().err


def test_the_sdk_refuses_a_receipt_that_intake_has_not_signed() -> None:
    made = Receipt(kind="referral", id=REFERRAL, case_id=CASE, event_id=EVENT, received_at=1_800_000_000_000_000)
    told = msgspec.to_builtins(door_receipts.referral_receipt(made, KEY, WORDS))
    answers = [told, {**told, "logged_by": "2031-01-01T00:00:00Z"}]
    transport = httpx.MockTransport(lambda _: httpx.Response(202, json=answers.pop(0)))
    with Client("https://intake", "token", policy=TRUSTED, transport=transport) as school:
        assert school.submit({"traits": {"age": "child"}}, salt="s" * 22)["referral_id"] == REFERRAL
        with pytest.raises(client.Unsigned, match=EVENT):
            school.submit({"traits": {"age": "child"}}, salt="s" * 22)


def test_the_sdk_waits_until_it_is_logged_and_no_longer() -> None:
    slept: list[float] = []
    answers = [404, 404, 200]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/referrals/r/proof"
        return (
            httpx.Response(status, json={"code": "not-logged-yet"}) if (status := answers.pop(0)) == 404 else httpx.Response(200, text="p")
        )

    with Client("https://intake", "token", transport=httpx.MockTransport(answer), sleep=slept.append) as school:
        assert school.proof("r") == b"p" and slept == [1, 1]
        answers[:] = [404] * 3
        with pytest.raises(Problem, match="not-logged-yet"):
            school.proof("r", wait=2)
        assert not answers


def test_a_proof_of_a_log_that_no_quorum_has_seen_lately_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The made log's witnesses signed at a fixed time; without --max-age a proof holds for ever."""
    (tmp_path / "receipt").write_text(json.dumps(RECEIPT))
    (tmp_path / "receipt.tlog-proof").write_bytes(proof())
    (tmp_path / "policy").write_bytes(made_log.policy())
    command = ["receipt", str(tmp_path / "receipt"), "--policy", str(tmp_path / "policy")]
    assert run(command) == 0 and "may stand still" not in capsys.readouterr().err
    assert run([*command, "--max-age", "0.5"]) == 3
    out = capsys.readouterr()
    assert "PROVEN" in out.out and "the log may stand still" in out.err
