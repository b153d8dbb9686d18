"""SMS against a real HTTP server: what is the number's fault and what is ours, and that no number or password leaves the channel."""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from referral.channels import Outgoing, Refused, Unreached, Unsure, gateway
from referral.channels.gateway import Gateway, Provider, providers
from referral.channels.message import short
from referral.errors import Rejected
from referral.runtime import settings
from tests.harness.gateway import Answer, hang, hang_up
from tests.harness.gateway import gateway as serving

NUMBER = "+38344000001"
PASSWORD = "made-up-password"
REFERENCE = "3f0a91bc-0000-4000-8000-000000000000"
OUT = Outgoing(NUMBER, REFERENCE, "4711", "sq", False, "https://inbox.example/")


async def knock(line: Gateway, out: Outgoing = OUT) -> None:
    await line.open()
    await line.send(out)


async def test_a_message_is_one_part_with_a_receipt_asked_for() -> None:
    async with serving() as server:
        line = Gateway(server.provider(sender="Kutia", receipts="https://notifier.example/sms/s/receipt"))
        for _ in range(2):
            await knock(line)
        await line.close()
    assert [got.path for got in server.requests] == ["/cgi-bin/sendsms"] * 2
    assert server.requests[0].told == {
        "username": "notifier",
        "password": PASSWORD,
        "to": NUMBER,
        "text": short(OUT),
        "from": "Kutia",
        "coding": "0",
        "charset": "UTF-8",
        "dlr-mask": "31",
        "dlr-url": f"https://notifier.example/sms/s/receipt/{REFERENCE}?status=%d",
    }


@pytest.mark.parametrize(
    ("answer", "kind", "word"),
    [
        ((400, b"Garbage 'to' field, rejected."), Refused, "wrong-number"),
        ((400, b"Number(s) has/have been denied by white- and/or black-lists."), Refused, "wrong-number"),
        ((400, b"Sender missing and no global set, rejected"), Unreached, "server-refuses-us"),
        ((403, b"Authorization failed for sendsms"), Unreached, "server-refuses-us"),
        ((403, b"Not routable. Do not try again."), Unreached, "server-refuses-us"),
        ((301, b""), Unreached, "server-refuses-us"),
        ((429, b"slow down +38344000001"), Unreached, "server-busy"),
        ((503, b"Temporal failure, try again later."), Unreached, "server-busy"),
        ((202, b"3: Queued for later delivery"), Unreached, "server-busy"),
        (hang, Unsure, "no-answer"),
        (hang_up, Unsure, "no-answer"),
    ],
)
async def test_what_a_gateway_may_do(
    answer: Answer, kind: type[Exception], word: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gateway, "ANSWER_SECONDS", 0.5)
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        server.answer = answer
        line = Gateway(server.provider())
        with pytest.raises(kind) as caught:
            await knock(line)
        assert (type(caught.value), str(caught.value)) == (kind, word)
        assert_silent(caught.value, caplog.text)
        server.answer = (202, b"0: Accepted for delivery")
        await knock(line, replace(OUT, reference="another"))  # the same line goes on
        assert len(server.requests) == 2
        await line.close()


async def test_what_a_gateway_stores_is_not_handed_over_again() -> None:
    """Its operator is away for an hour: the officer then gets one message, and not sixty."""
    async with serving() as server:
        provider = server.provider()
        server.answer = (202, b"3: Queued for later delivery")
        for _ in range(3):
            with pytest.raises(Unreached, match="server-busy"):
                await knock(Gateway(provider))
        assert len(server.requests) == 1
        server.answer = (202, b"0: Accepted for delivery")
        await knock(Gateway(provider), replace(OUT, reference="another"))
        assert len(server.requests) == 2


def assert_silent(error: BaseException, more: str) -> None:
    """Neither the error, nor anything that hangs on it, nor a log line knows the number, the password or the gateway's words."""
    seen: BaseException | None = error
    text = more + "".join(traceback.format_exception(error))
    while seen is not None:
        text += repr(seen) + repr(seen.args) + repr(vars(seen))
        seen = seen.__cause__ or seen.__context__
    assert not [word for word in ("38344", PASSWORD, "slow down", "black-lists") if word in text]


async def test_a_gateway_that_is_not_there_and_one_without_tls(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        secure = server.provider(url=f"https://127.0.0.1:{server.port}/cgi-bin/sendsms")
        with pytest.raises(Unreached) as caught:
            await knock(Gateway(secure))
        assert str(caught.value) == "not-secured"
        assert server.requests == []
    with pytest.raises(Unreached) as caught:
        await knock(Gateway(server.provider()))
    assert (type(caught.value), str(caught.value)) == (Unreached, "server-away")
    assert_silent(caught.value, caplog.text)


@pytest.mark.parametrize("number", ["044000001", "+0", "+383 44", "+38344000001\r\nX: y", "", "a@b.example", "+٣٨٣٤٤٠٠٠٠٠١"])
async def test_a_number_that_cannot_be_one_is_refused_quietly(number: str) -> None:
    async with serving() as server:
        with pytest.raises(Refused, match="bad-address"):
            await knock(Gateway(server.provider()), replace(OUT, address=number))
    assert server.requests == []


async def test_a_call_that_nobody_waits_for_ends() -> None:
    async with serving() as server:
        server.answer = hang
        line = Gateway(server.provider())
        task = asyncio.create_task(knock(line))
        await server.got(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.answer = (202, b"")
        await knock(line)
        await line.close()


async def test_an_aggregator_with_other_words_takes_json(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    async with serving() as server:
        told = {
            "REFERRAL_SMS": f"http://127.0.0.1:{server.port}/v1/messages",
            "REFERRAL_SMS_USER": "notifier",
            "REFERRAL_SMS_PASSWORD_FILE": str(secret),
            "REFERRAL_SMS_METHOD": "POST",
            "REFERRAL_SMS_NAMES": "to=recipient text=message username= password= coding= charset= dlr-mask= dlr-url=callback",
            "REFERRAL_SMS_STATUSES": "422=wrong-number",
        }
        (provider,) = providers(settings.read(told), "https://notifier.example/sms/s/receipt")
        line = Gateway(provider)
        server.answer = (201, b"{}")
        await knock(line)
        server.answer = (422, b"{}")
        with pytest.raises(Refused, match="wrong-number"):
            await knock(line)
        await line.close()
    got = server.requests[0]
    assert (got.method, got.headers["content-type"]) == ("POST", "application/json")
    assert got.headers["authorization"].startswith("Basic ")
    assert got.told == {
        "recipient": NUMBER,
        "message": short(OUT),
        "callback": f"https://notifier.example/sms/s/receipt/{REFERENCE}?status=%d",
    }


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"REFERRAL_SMS": "http://gateway.example/cgi-bin/sendsms"}, "password-in-clear at REFERRAL_SMS"),
        ({"REFERRAL_SMS": "https://u:p@gateway.example/"}, "malformed at REFERRAL_SMS"),
        ({"REFERRAL_SMS": "gateway.example"}, "malformed at REFERRAL_SMS"),
        ({"REFERRAL_SMS_USER": "u"}, "incomplete at REFERRAL_SMS_USER"),
        ({"REFERRAL_SMS_USER": "u", "REFERRAL_SMS_PASSWORD_FILE": "/nowhere"}, "unreadable at REFERRAL_SMS_PASSWORD_FILE"),
        ({"REFERRAL_SMS_TLS": "offered"}, "malformed at REFERRAL_SMS_TLS"),
        ({"REFERRAL_SMS_METHOD": "PUT"}, "malformed at REFERRAL_SMS_METHOD"),
        ({"REFERRAL_SMS_NAMES": "number=to"}, "malformed at REFERRAL_SMS_NAMES"),
        ({"REFERRAL_SMS_STATUSES": "422=refused"}, "malformed at REFERRAL_SMS_STATUSES"),
        ({"REFERRAL_SMS_FROM": "a,b,c"}, "malformed at REFERRAL_SMS_FROM"),
    ],
)
def test_a_wrong_setting_is_named_at_the_start(told: dict[str, str], where: str) -> None:
    with pytest.raises(Rejected, match=where):
        providers(settings.read({"REFERRAL_SMS": "https://gateway.example/cgi-bin/sendsms"} | told), "")


def test_settings_of_several_gateways_follow_their_order() -> None:
    assert providers(settings.read({}), "") == ()
    urls = "http://10.0.0.1:13013/cgi-bin/sendsms, https://gateway.example/sms"
    found = settings.read({"REFERRAL_SMS": urls, "REFERRAL_SMS_TLS": "never,", "REFERRAL_SMS_FROM": "Kutia"})
    assert [one.tls for one in found.sms] == ["never", "required"]
    assert [(one.name, one.sender) for one in providers(found, "")] == [("sms-1", "Kutia"), ("sms-2", "Kutia")]


def test_a_provider_shows_no_secret() -> None:
    provider = Provider("sms-1", "https://gateway.example/sms", "u", PASSWORD, "Kutia", "https://n.example/sms/secret/receipt")
    assert not [word for word in (PASSWORD, "secret", "Kutia") if word in repr(provider)]
