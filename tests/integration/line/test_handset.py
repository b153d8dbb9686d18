"""A whole line with a handset instead of telephones: an SMS and its receipt, a reply, a call, and what each does to the offer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from referral.cli.stack import cast, up
from referral.cli.stack.stage import Stage
from referral.local.config import StackConfig
from referral.local.handset.telephones import Entry
from referral.local.stack import Stack
from referral.runtime.keys import case_keys, service_keys
from referral.runtime.settings import LINE, SERVICES
from tests.harness import callers
from tests.harness.memory import within
from tests.harness.servers import prefix
from tests.harness.waiting import PATIENCE_S
from tests.harness.web import forms

pytestmark = pytest.mark.servers
POLICE = "police-prizren"
NOT_UNDERSTOOD = "Nuk u kuptua"
"""Begins the SMS that answers a reply which counts for nothing: about the wrong digits it comes within minutes."""
REFERRAL = {"traits": {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent"}, "drill": True}


@pytest.fixture
async def stack(tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path) -> AsyncIterator[Stack]:
    config = StackConfig(data=tmp_path_factory.mktemp("line"), kafka=kafka, ca=ca, prefix=prefix(), drill=True, handset=True)
    async with up.running(config) as made:
        yield made


async def test_replies_and_keys_acknowledge_and_nothing_more(stack: Stack) -> None:
    stage = Stage(stack, cast.load(stack.config.data))
    try:
        await asyncio.to_thread(answered_by_sms, stage, stack)
        await asyncio.to_thread(cannot_and_then_a_call, stage, stack)
    finally:
        stage.close()
    await asyncio.to_thread(own_keys_alone, stack)
    logs = "".join(file.read_text("utf-8") for file in (stack.config.data / "log").iterdir())
    numbers = [member.phone for member in cast.load(stack.config.data).staff if member.phone]
    assert logs and not [number for number in numbers if number[1:] in logs]
    assert not [entry.text for entry in stack.handset.entries if entry.text in logs]


def own_keys_alone(stack: Stack) -> None:
    """The memory of each service after its work has its own keys, and neither the master key nor a secret of another service."""
    master = case_keys.master(stack.settings)
    lent = {master.purpose(word) for word in service_keys.LENT}
    secrets = {service: {keys.secret, *keys.purposes.values()} - lent for service in SERVICES if (keys := master.of(service))}
    for service in LINE:
        (process,) = stack.of(service)
        assert process.pid is not None
        found = within(process.pid, {master._master, *set().union(*secrets.values())})
        assert secrets[service] >= found >= {master.of(service).secret}, service


def answered_by_sms(stage: Stage, stack: Stack) -> None:
    case_id, sms = asked(stage, stack, "first", f"{POLICE}.duty-officer")
    stage.log(case_id, "the message has arrived by sms")
    assert told(stack, f"{POLICE}.duty-officer", str(stage.offered(POLICE, case_id, "police")["offer_id"])) == "1 dorëzuar"
    code = digits(sms)
    assert replied(stack, sms, f"1 {(int(code) + 1) % 10_000:04}") == "taken", "a stranger learns nothing from the answer"
    assert stage.offered(POLICE, case_id, "police")["state"] == "OFFERED"
    assert replied(stack, sms, f"po {code}") == "taken"
    stage.log(case_id, f"{POLICE} (police) has seen it")
    seen = lambda: stage.offered(POLICE, case_id, "police")["state"] == "ACKNOWLEDGED" or None  # noqa: E731
    assert stage.wait("the agency reads so", seen)


def cannot_and_then_a_call(stage: Stage, stack: Stack) -> None:
    stage.pass_time(timedelta(minutes=2), "nobody gets more than one SMS a minute")
    case_id, sms = asked(stage, stack, "second", f"{POLICE}.duty-officer")
    before = len(stack.handset.entries)
    assert replied(stack, sms, f"2 {digits(sms)}") == "taken"
    stage.log(case_id, "now its back-up")
    stage.pass_time(timedelta(minutes=2, seconds=1), "an SMS wakes few people")
    stage.called(f"{POLICE}.back-up", "1", "key 1")
    stage.log(case_id, f"{POLICE} (police) has seen it")
    assert not [e for e in stack.handset.entries[before:] if e.number == sms.number and e.kind == "call"], "who cannot is left in peace"


def asked(stage: Stage, stack: Stack, key: str, login: str) -> tuple[str, Entry]:
    """Refer somebody; the case, and the SMS that this person gets."""
    number, before = cast.load(stack.config.data).number(login), len(stack.handset.entries)
    case_id = str(stage.agency("school-drita").submit(REFERRAL, key=key)["case_id"])
    stage.offered(POLICE, case_id, "police")
    sms = lambda e: (e.number, e.kind) == (number, "sms") and NOT_UNDERSTOOD not in e.text  # noqa: E731
    new = lambda: list(filter(sms, stack.handset.entries[before:]))  # noqa: E731
    return case_id, stage.wait("an SMS", lambda: next(iter(new()), None))


def told(stack: Stack, login: str, offer: str) -> str:
    """Return the first words on the page of an offer about who was told, in Albanian."""
    with httpx.Client(base_url=stack.url("intake"), follow_redirects=True, timeout=PATIENCE_S, verify=callers.browser(stack)) as browser:
        forms.sign_in(browser, login, cast.load(stack.config.data).password)
        page = browser.get(f"/offers/{offer}").text
    found = re.search(r'class="told">Të njoftuar 1: (1 \w+) ', page)
    return found[1] if found else "".join(re.findall(r'<p class="told.*?</p>', page)) or page


def digits(sms: Entry) -> str:
    found = re.search(r"1 (\d{4})", sms.text)
    assert found is not None, sms.text
    return found[1]


def replied(stack: Stack, sms: Entry, text: str) -> str:
    answer = httpx.post(f"{stack.handset.url}/reply", data={"number": sms.number, "text": text}, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["end"])
