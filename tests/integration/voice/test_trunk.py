"""Calls through real trunks: SIPp, which answers as told, Kamailio, which wants a password, and one that is reached by TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from referral.channels import Handed, Refused, Unreached, Word
from tests.harness.telephone import absent, telephone
from tests.harness.trunks import ANSWERED, BYE, INVITE, SDP, again, gets, info, kamailio, refusing, says, scenario, sipp
from tests.integration.voice.conftest import HURRY, Caller

Place = Callable[[str], Path]
PASSWORD = "9f-Xk.w_2!secret"


@pytest.fixture
def needs_sipp() -> None:
    if lacks := absent("sipp"):
        pytest.skip(f"{lacks}: apt-get install sip-tester")


@pytest.mark.usefixtures("needs_sipp")
@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        ("486 Busy Here", Unreached, "busy"),
        ("600 Busy Everywhere", Unreached, "busy"),
        ("603 Decline", Unreached, "declined"),
        ("480 Temporarily Unavailable", Unreached, "rings-out"),
        ("404 Not Found", Refused, "wrong-number"),
        ("410 Gone", Refused, "wrong-number"),
        ("484 Address Incomplete", Refused, "wrong-number"),
        ("604 Does Not Exist Anywhere", Refused, "wrong-number"),
        ("503 Service Unavailable", Unreached, "server-busy"),
        ("403 Forbidden", Unreached, "server-refuses-us"),
        ("488 Not Acceptable Here", Unreached, "server-refuses-us"),
    ],
)
async def test_each_answer_has_its_word(status: str, kind: type, word: str, caller: Caller, place: Place) -> None:
    async with sipp(place("trunk"), refusing(status)) as trunk:
        end = await caller.call(trunk.port)
        assert type(end) is kind and str(end) == word
        await trunk.satisfied()


@pytest.mark.usefixtures("needs_sipp")
async def test_a_call_that_nobody_answers_is_taken_back(caller: Caller, place: Place) -> None:
    steps = scenario(
        INVITE,
        says("180 Ringing"),
        gets("CANCEL"),
        says("200 OK"),
        says("487 Request Terminated", headers="CSeq: [$seq] INVITE\n"),
        gets("ACK"),
    )
    async with sipp(place("trunk"), steps) as trunk:
        assert str(await caller.call(trunk.port)) == "rings-out"
        await trunk.satisfied()


@pytest.mark.usefixtures("needs_sipp")
async def test_who_answers_while_we_hang_up_is_hung_up_on(caller: Caller, place: Place) -> None:
    """The answer crosses our CANCEL: it is acknowledged and ended, or the callee would listen to nobody."""
    answered = says("200 OK", headers="CSeq: [$seq] INVITE\n", body=SDP)
    steps = scenario(INVITE, says("180 Ringing"), gets("CANCEL"), says("200 OK"), answered, gets("ACK"), *BYE)
    async with sipp(place("trunk"), steps) as trunk:
        assert str(await caller.call(trunk.port)) == "rings-out"
        await trunk.satisfied()


@pytest.mark.usefixtures("needs_sipp")
async def test_a_lost_acknowledgement_is_repeated(caller: Caller, place: Place) -> None:
    """The trunk repeats its answer because it has not seen ours; the call goes on."""
    async with sipp(place("trunk"), scenario(*ANSWERED, again(), gets("ACK"), *BYE), 1, "-nr") as trunk:
        assert str(await caller.call(trunk.port)) == "no-key"
        await trunk.satisfied()


@pytest.mark.usefixtures("needs_sipp")
@pytest.mark.parametrize(("key", "word"), [("1", Word.LOOKS), ("2", Word.CANNOT)])
async def test_a_key_may_come_as_a_message(key: str, word: Word, caller: Caller, place: Place) -> None:
    """Some gateways say keys by SIP INFO (RFC 6086) instead of in the sound (RFC 4733)."""
    async with sipp(place("trunk"), scenario(*ANSWERED, info(key), *BYE)) as trunk:
        assert await caller.call(trunk.port) == Handed(word)
        await trunk.satisfied()


@pytest.mark.usefixtures("needs_sipp")
async def test_a_silent_trunk_is_our_fault(caller: Caller, place: Place) -> None:
    """It takes the call and says no more than "Trying": nothing rings."""
    steps = scenario(
        INVITE, says("100 Trying"), gets("CANCEL"), says("200 OK"), says("487 Request Terminated", headers="CSeq: [$seq] INVITE\n")
    )
    async with sipp(place("trunk"), steps) as trunk:
        end = await caller.call(trunk.port, patience=replace(HURRY, dialled=2.0))
        assert isinstance(end, Unreached) and str(end) == "server-away"


async def test_through_a_proxy_that_wants_a_password(caller: Caller, place: Place) -> None:
    """Kamailio asks for it (407), and stays in the way of the whole call (Record-Route): keys and the end go through it."""
    if lacks := absent("kamailio"):
        pytest.skip(f"{lacks}: apt-get install kamailio")
    async with telephone(place("callee")) as callee, kamailio(place("proxy"), callee.port, PASSWORD) as port:
        calling = asyncio.create_task(caller.call(port, login="ministry", password=PASSWORD))
        await callee.press("1")
        assert await calling == Handed(Word.LOOKS)
        await callee.sees("CALL_CLOSED")
        callee.events.clear()
        for wrong in ({"login": "ministry", "password": "wrong"}, {}):
            assert str(await caller.call(port, **wrong)) == "server-refuses-us"
        assert not callee.happened("CALL_ESTABLISHED")


def certificate(folder: Path, name: str) -> Path:
    """Make a key and a certificate of its own, in one file; returns the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / f"{name}.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


async def test_by_tls_the_sound_is_sealed_and_a_stranger_gets_no_call(caller: Caller, place: Place) -> None:
    """Two certificates, both well made: only the one that the operator named may take our calls and our password."""
    folder = place("certificates")
    ours, strangers = certificate(folder, "trunk"), certificate(folder, "stranger")
    async with telephone(place("callee"), extra=f"sip_certificate {ours}", account=";mediaenc=srtp") as callee:
        secure = callee.port + 1  # baresip's port for TLS
        calling = asyncio.create_task(caller.call(secure, authority=ours))
        await callee.press("1")
        assert await calling == Handed(Word.LOOKS)
        assert any(type == "CALL_MENC" and "AES_CM_128" in how for type, how in callee.events)
        await callee.sees("CALL_CLOSED")
        callee.events.clear()
        assert str(await caller.call(secure, authority=strangers)) == "not-secured"
        assert not callee.events
    async with telephone(place("clear"), extra=f"sip_certificate {ours}") as callee:
        assert str(await caller.call(callee.port + 1, authority=ours)) == "server-refuses-us"  # it would speak in clear
        assert not callee.happened("CALL_ESTABLISHED")
