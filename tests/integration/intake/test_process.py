"""The whole process of intake on the real broker and database: HTTP and ingress.<agency> in, sealed events in order out, kills included."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from sqlalchemy import text

from referral.client import SigningKey, encrypt, sign_record
from referral.domain import events as e
from referral.domain.inputs import derived
from referral.runtime import tls
from referral.runtime.kafka.clients import create_ingress
from referral.runtime.settings import Settings
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import codec, headers, hpke, policy_digest, seal
from tests.harness import trust
from tests.harness.line import runtime_stack
from tests.harness.policies import bundle
from tests.harness.programs import Program
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
AGENCY, OTHER = "school-drita", "police-prizren"
BODY: dict[str, Any] = {"traits": {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "emergency"}}
MARKER = {"file": {"identity": {"name": "Marker-Ëmri-Ћирилица"}}}


class Line:
    """A stack with a running intake. http: its address."""

    def __init__(self, stack: runtime_stack.Stack) -> None:
        self.stack = stack
        self.process = Program(stack.settings, "services.intake")
        url, own = self.process.url.replace("http:", "https:"), stack.settings.tls
        assert own is not None
        self.process.add(http=url)
        head, shows = {"Authorization": f"Bearer token-of-{AGENCY}"}, trust.identity(own.parent.parent, f"agency/{AGENCY}")
        self.http = httpx.AsyncClient(base_url=url, headers=head, timeout=30, verify=tls.client(shows))

    def of(self, agency: str) -> httpx.AsyncClient:
        """Return a client of another agency's system."""
        own = self.stack.settings.tls
        assert own is not None
        shows = tls.client(trust.identity(own.parent.parent, f"agency/{agency}"))
        return httpx.AsyncClient(
            base_url=self.http.base_url, headers={"Authorization": f"Bearer token-of-{agency}"}, timeout=30, verify=shows
        )

    @property
    def settings(self) -> Settings:
        return self.process.settings

    async def start(self) -> None:
        """Start it, and wait until its doors are open: they are shut until it has looked for what was erased."""
        self.process.start()

        async def open() -> bool:
            assert self.process.runs(), self.process.said()[-2000:]
            with contextlib.suppress(httpx.HTTPError):
                return (await self.http.get("/openapi.json")).status_code == 200
            return False

        await until(open, what="intake's doors open")

    async def policy(self, files: dict[str, bytes] | None = None) -> None:
        """Put these files into force, as routing does; without them the policy of the checkout."""
        files = files or policy_digest.read(self.settings.policy)
        body = bundle(1, files)
        sent = headers.plain(body.TYPE, id=str(uuid.uuid4()), source="routing", at=1)
        await self.stack.producer.send_and_wait(
            self.settings.topic("referral-policy"), codec.encode(body), key=b"1", partition=0, headers=sent
        )

    async def submit(self, body: dict[str, Any], key: str) -> httpx.Response:
        return await self.http.post("/v1/referrals", json=body, headers={"Idempotency-Key": key})

    async def taken(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Sent until it is taken, as an agency's system does."""

        async def once() -> Any:
            try:
                answer = await self.submit(body, key)
            except httpx.TransportError:
                return None
            assert answer.status_code in (202, 503), answer.text
            return answer.json() if answer.status_code == 202 else None

        return dict(await until(once))

    async def publish(self, body: bytes, key: str, *, agency: str = AGENCY, more: tuple[tuple[str, bytes], ...] = ()) -> None:
        """As an agency publishes on its own topic."""
        assert self.settings.ingress_key_file is not None
        private = serialization.load_pem_private_key(self.settings.ingress_key_file.read_bytes(), None)
        value = hpke.encrypt(private.public_key(), f"ingress.{agency}", body)  # type: ignore[arg-type]
        await self.put(value, key, more)

    async def put(self, value: bytes, key: str, more: tuple[tuple[str, bytes], ...] = ()) -> None:
        sent = [("ce_id", key.encode()), *more]
        await self.stack.producer.send_and_wait(self.settings.topic(f"ingress.{AGENCY}"), value, headers=sent)

    async def state(self, key: str) -> dict[str, Any]:
        """What became of a key, once it is known."""

        async def known() -> Any:
            answer = await self.http.get(f"/v1/submissions/{key}")
            return answer.json() if answer.status_code == 200 else None

        return dict(await until(known))

    async def has(self, key: str) -> bool:
        """Return whether a key is taken."""
        answer = await self.http.get(f"/v1/submissions/{key}")
        return answer.status_code == 200 and answer.json()["state"] == "TAKEN"


@asynccontextmanager
async def line(settings: Settings) -> AsyncIterator[Line]:
    async with runtime_stack.stack(settings) as stack:
        made = Line(stack)
        async with stack.admin.begin() as tx:
            rows = [{"hash": hashlib.sha256(f"token-of-{a}".encode()).digest(), "agency": a} for a in (AGENCY, OTHER)]
            await tx.execute(text("INSERT INTO intake.agency_token VALUES (:hash, :agency, 'test', 0, NULL)"), rows)
        await create_ingress(settings, AGENCY)
        await made.start()
        try:
            yield made
        finally:
            await made.process.kill()
            await made.http.aclose()


async def test_one_referral_by_http_and_by_kafka_is_one_case(settings: Settings) -> None:
    async with line(settings) as intake:
        answer = await intake.submit(BODY, "before-any-policy")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        await intake.policy()
        receipt = await intake.taken(BODY, "k-1")
        answers = await asyncio.gather(*(intake.submit(BODY, "k-1") for _ in range(50)))
        assert {a.status_code for a in answers} == {202}
        assert [a.json() for a in answers] == [receipt] * 50
        await intake.process.kill()
        await intake.start()
        assert await intake.taken(BODY, "k-1") == receipt
        public = bytes.fromhex((await intake.http.get("/v1/ingress-key")).json()["public_key"])
        await intake.publish(encoded(BODY), "k-1")
        await intake.publish(encoded({**BODY, "drill": True}), "k-1")
        await intake.put(encrypt(public, f"ingress.{AGENCY}", encoded(BODY)), "k-2")
        by_kafka = await intake.state("k-2")
        assert by_kafka["state"] == "TAKEN"
        assert (await intake.state("k-1"))["id"] == receipt["referral_id"]
        assert (await intake.submit({**BODY, "drill": True}, "k-2")).status_code == 409
        assert (await intake.submit(BODY, "k-2")).json()["case_id"] == by_kafka["case_id"]
        cases = {receipt["case_id"], by_kafka["case_id"]}

        async def both() -> bool:
            return {m.case_id for m in await intake.stack.metas("referral-intake")} == cases

        await until(both)
        metas = await intake.stack.metas("referral-intake")
        assert sorted((m.case_seq, m.type) for m in metas) == [(1, "referral-submitted.v2")] * 2
        assert {m.event_id for m in metas} == {receipt["event_id"], by_kafka["event_id"]}
        [lost] = await intake.stack.distinct("referral-quarantine")
        assert codec.decode(e.Quarantined.TYPE, codec.fingerprint(e.Quarantined.TYPE), lost.value).reason == "key-reused"  # type: ignore[attr-defined]


async def test_what_cannot_be_understood_on_kafka_is_quarantined_and_its_sender_can_ask_why(settings: Settings) -> None:
    async with line(settings) as intake:
        await intake.policy()
        await intake.taken(BODY, "first")
        _, event = codec.encode_oldest(avro())  # what a record says that names no type
        as_avro = (("content-type", b"application/avro"),)
        newest = (*as_avro, ("ce_type", b"referral.referral-submitted.v2"))
        index = bytearray(event)
        index[event.index(AGENCY.encode()) + len(AGENCY)] = 0x40  # the door's symbol: no such index
        bad: dict[str, tuple[bytes, tuple[tuple[str, bytes], ...], str]] = {
            "broken": (b'{"traits":', (), "not-json"),
            "code": (encoded({"traits": {**BODY["traits"], "found_in": "atlantis"}}), (), "unknown-code"),
            "personal": (encoded(BODY | MARKER), (), "personal-facts"),
            "foreign": (encoded({**BODY, "case_id": str(uuid.uuid4())}), (), "unknown-case"),
            "type": (encoded(BODY), (("ce_type", b"referral.offer-opened.v1"),), "unknown-type"),
            "version": (encoded(BODY), (("ce_type", b"referral.referral-submitted.v9"),), "unknown-version"),
            "content": (encoded(BODY), (("content-type", b"text/plain"),), "unknown-content"),
            "cut": (event[:-1], as_avro, "body"),
            "trailing": (event + b"\0", as_avro, "body"),
            "enum": (bytes(index), as_avro, "body"),
            "not-yours": (codec.encode_oldest(avro(agency=OTHER))[1], as_avro, "not-yours"),
            "older": (event, newest, "body"),
        }
        for key, (body, more, _) in bad.items():
            await intake.publish(body, key, more=more)
        await intake.put(b"x" * 100, "clear")
        await intake.publish(encoded(BODY), "wrong-topic", agency=OTHER)
        await intake.publish(encoded(BODY), "")
        await intake.publish(event, "good-avro", more=as_avro)
        await intake.publish(codec.encode(avro()), "newest-avro", more=newest)
        assert [(await intake.state(key))["state"] for key in ("good-avro", "newest-avro")] == ["TAKEN", "TAKEN"]
        for key, (_, _, code) in bad.items():
            state = await intake.state(key)
            assert (state["state"], state["code"]) == ("REFUSED", code), key
            assert state["hint"]
        assert {(await intake.state(key))["code"] for key in ("clear", "wrong-topic")} == {"seal"}

        async def all_of_them() -> bool:
            return len(await intake.stack.distinct("referral-quarantine")) >= len(bad) + 3

        await until(all_of_them)
        assert len(await intake.stack.distinct("referral-quarantine")) == len(bad) + 3
        assert await intake.stack.sql("SELECT count(*) FROM intake.casefile") == [
            (3,)
        ]  # first, good-avro, newest-avro: what was taken, and nothing refused
        await intake.publish(encoded(BODY), "broken")

        async def stands() -> bool:
            return (await intake.state("broken"))["state"] == "TAKEN"

        await until(stands)
        said = intake.process.said()
        assert "Marker" not in said and "Traceback" not in said


CONTRADICTION: dict[str, Any] = {"traits": {**BODY["traits"], "age_band": "18-120"}}


@pytest.mark.parametrize("count", [40, 300])
@pytest.mark.parametrize("kind", ["contradiction", "seal"])
async def test_an_emergency_behind_refused_records_is_taken_within_five_seconds(settings: Settings, kind: str, count: int) -> None:
    """Twenty refused records closed an agency's topic for ten minutes, and an emergency behind them waited for 19."""
    async with line(settings) as intake:
        await intake.policy()
        await intake.taken(BODY, "first")
        await intake.publish(encoded(BODY), "read")
        await intake.state("read")
        if kind == "seal":
            await asyncio.gather(*(intake.put(b"x" * 100, f"bad-{n}") for n in range(count)))
        else:
            await asyncio.gather(*(intake.publish(encoded(CONTRADICTION), f"bad-{n}") for n in range(count)))
        await intake.publish(encoded({**BODY, "drill": True}), "emergency")
        await until(lambda: intake.has("emergency"), 5, "the emergency is taken")
        assert {(await intake.state(f"bad-{n}"))["code"] for n in (0, count - 1)} == {kind}
        door = (await intake.http.get("/v1/status")).json()["doors"]["kafka"]
        assert (door["topic"], door["state"], door["cause"]) == (f"ingress.{AGENCY}", "READING", "")
        assert door["read_to"] == count + 2


async def test_whoever_has_a_certificate_and_no_key_holds_no_door_shut(settings: Settings) -> None:
    """Twenty records in ten minutes, each refused `must-sign`, closed the door of an agency for ever."""
    async with line(settings) as intake:
        key = SignerKey(AGENCY, ED25519, bytes([7]) * 32)
        files = policy_digest.read(intake.settings.policy)
        listed = f'\nsigning: {{must: true, keys: ["{key.verifier.encode().decode()}"]}}\n'.encode()
        await intake.policy({**files, f"directory/{AGENCY}.yaml": files[f"directory/{AGENCY}.yaml"] + listed})
        public = bytes.fromhex((await intake.http.get("/v1/ingress-key")).json()["public_key"])
        await asyncio.gather(*(intake.publish(encoded(BODY), f"thief-{n}") for n in range(40)))
        assert (await intake.state("thief-39"))["code"] == "must-sign"
        value = encrypt(public, f"ingress.{AGENCY}", encoded(BODY))
        topic = intake.settings.topic(f"ingress.{AGENCY}")
        signed = sign_record(SigningKey(key.encode().decode()), f"ingress.{AGENCY}", value, id="ours", sequence=1)
        await intake.stack.producer.send_and_wait(topic, value, headers=signed)
        await until(lambda: intake.has("ours"), 5, "the agency's own record is taken")


async def test_killed_again_and_again_every_receipt_has_its_event_once(settings: Settings) -> None:
    async with line(settings) as intake:
        await intake.policy()
        receipts: dict[str, dict[str, Any]] = {}

        async def sender(number: int) -> None:
            for i in range(15):
                key = f"{number}-{i}"
                receipts[key] = await intake.taken(BODY | MARKER, key)

        senders = [asyncio.create_task(sender(n)) for n in range(4)]
        for kills in range(3):
            await until(lambda wanted=kills: len(receipts) >= 8 * (wanted + 1))
            await intake.process.kill()
            await intake.start()
        await asyncio.gather(*senders)

        async def whole() -> bool:
            return len({m.event_id for m in await intake.stack.metas("referral-intake")}) == len(receipts)

        await until(whole)
        metas = await intake.stack.metas("referral-intake")
        assert {m.event_id for m in metas} == {r["event_id"] for r in receipts.values()}
        assert {m.case_id for m in metas} == {r["case_id"] for r in receipts.values()}
        assert all(m.case_seq == 1 and m.event_id == derived(m.cause_id, 0) for m in metas)
        for record in await intake.stack.records("referral-intake"):
            assert b"Marker" not in record.value
            assert seal.open(record.value).meta.type == "referral-submitted.v2"


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def avro(agency: str = AGENCY) -> e.ReferralSubmitted:
    traits = e.Traits(
        **BODY["traits"], age_band="unknown", sex="unknown", home="", origin="unknown", asylum="unknown", languages=(), flags=()
    )
    nil = "00000000-0000-0000-0000-000000000000"
    return e.ReferralSubmitted(
        referral_id=nil, agency=agency, door=e.Door.KAFKA, opens=True, traits=traits, consent=None, sections=(), received_at=0
    )
