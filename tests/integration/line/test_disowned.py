"""A record in a service's name, by somebody who has that service's keys and not its machine: the machine believes it, and asks a person.

The service knows what it wrote (0020): it names the record within a moment, and routing asks the desk of the case. Nothing is undone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, structs

from referral.cli.stack import cast, up
from referral.cli.stack.stage import Stage
from referral.domain.events import NeedsPerson, OfferAccepted, OfferEscalated, OfferOpened, ResponseSubmitted, RungFailed, Via, Word
from referral.local.config import StackConfig, environment
from referral.local.stack import Stack
from referral.runtime import record_signing
from referral.runtime.kafka import clients, scan
from referral.runtime.kafka.publish import send
from referral.runtime.keys import case_keys
from referral.runtime.postgres import database
from referral.runtime.settings import LINE, Settings, load
from referral.wire import codec, seal, topics
from tests.harness.engines import beginning
from tests.harness.line.intake_stack import new_id
from tests.harness.servers import prefix
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]
ROUTING = "referral-routing"


def accepts(offer: OfferOpened) -> Struct:
    """The agency of an offer accepts it."""
    said = {"reason": "", "code": "", "recorded": (), "received_at": 1}
    return ResponseSubmitted(response_id=new_id(), offer_id=offer.offer_id, agency=offer.agency, word=Word.ACCEPT, via=Via.SYSTEM, **said)


def nobody(offer: OfferOpened) -> Struct:
    """Nobody is on duty at the rung of an offer."""
    return RungFailed(offer_id=offer.offer_id, rung=offer.rung, reason="nobody-on-duty", at=1)


async def reads(stack: Stack, case_id: str, topic: str) -> list[tuple[Any, Any]]:
    """Meta and body of each record of a case on a topic, in order."""
    async with beginning(database.engine(stack.settings, "intake")) as tx:
        key = (await case_keys.read(stack.settings).load(tx, [case_id]))[case_id]
    found = []
    async for _, record in scan.whole(stack.settings, [topic]):
        if record.key == case_id.encode():
            sealed = seal.open(record.value or b"")
            body = codec.decode(sealed.meta.type, sealed.meta.fingerprint, seal.unseal(key, topic, sealed))
            found.append((sealed.meta, body))
    return found


async def said(stack: Stack, case_id: str, kind: type, **fields: Any) -> list[Any]:
    """The decisions of this kind about a case that have these fields."""
    decided = [body for _, body in await reads(stack, case_id, ROUTING) if isinstance(body, kind)]
    return [body for body in decided if all(getattr(body, name) == value for name, value in fields.items())]


async def forge(stolen: Settings, stack: Stack, service: str, case_id: str, body: Any) -> None:
    """Publish a record of a case with the service's signing key, its certificate and the key of the case: without its database."""
    like = (await reads(stack, case_id, "referral-intake"))[-1][0]
    before = await reads(stack, case_id, body.TOPIC)
    own = {
        "type": body.TYPE,
        "fingerprint": codec.fingerprint(body.TYPE),
        "case_seq": len(before) + 1,
        "event_id": new_id(),
        "source": service,
    }
    async with beginning(database.engine(stack.settings, "intake")) as tx:
        key = (await case_keys.read(stack.settings).load(tx, [case_id]))[case_id]
    value = seal.seal(key, body.TOPIC, structs.replace(like, **own), codec.encode(body), bytes(12))
    name = case_id.encode()
    (headers,) = record_signing.signer(stolen, service)(body.TOPIC)([(name, value)])
    async with clients.producer(stolen) as producer:
        await send(producer, stolen.topic(body.TOPIC), topics.partition(case_id), [(name, value, headers)])


@pytest.mark.timeout(400)
async def test_what_a_stolen_key_said_stays_and_the_desk_is_asked(tmp_path: Path, kafka: str, ca: Path) -> None:
    """N25: intake disowned a forged acceptance within ten milliseconds, and nobody was asked: the police "had" the case."""
    config = StackConfig(data=tmp_path / "data", kafka=kafka, ca=ca, prefix=prefix(), drill=True, services=LINE)
    body = json.loads((ROOT / "examples" / "referral.json").read_text("utf-8"))
    forgeries: list[tuple[str, Callable[[OfferOpened], Struct], type]] = [
        ("intake", accepts, OfferAccepted),
        ("notifier", nobody, OfferEscalated),
    ]
    async with up.running(config) as stack:
        stage = Stage(stack, cast.load(config.data))
        for service, forged, believed in forgeries:
            case_id = (await asyncio.to_thread(stage.agency("school-drita").submit, body))["case_id"]
            await asyncio.to_thread(stage.offered, "police-prizren", case_id, "police")
            (police,) = await said(stack, case_id, OfferOpened, step="police")
            await forge(load(environment(config, stack.addresses, service)), stack, service, case_id, forged(police))
            await until(lambda case=case_id: said(stack, case, NeedsPerson, about="record-disowned"))
            assert await said(stack, case_id, believed, offer_id=police.offer_id), "what was believed stays until a person changes it"
            assert len(await said(stack, case_id, NeedsPerson, about="record-disowned")) == 1
