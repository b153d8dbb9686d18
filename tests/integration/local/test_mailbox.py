"""The mail server of a local stack takes what a real client sends."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from referral.local.mailbox import Mailbox
from tests.harness.waiting import PATIENCE_S


def mail(text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "line@referral.test", "duty@agency.test", "Поштанско сандуче · Kutia"
    message.set_content(text)
    return message


async def test_mail_is_kept_in_memory_and_as_a_file(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mail")
    host, _, port = (await box.start()).partition(":")
    try:
        await aiosmtplib.send(mail("Погледај сандуче, shiko kutinë"), hostname=host, port=int(port))
        await aiosmtplib.send(mail("two"), hostname=host, port=int(port))
        async with asyncio.timeout(PATIENCE_S):
            first, second = await box.wait(2)
    finally:
        await box.stop()
    assert first.recipients == ("duty@agency.test",)
    assert first.text.strip() == "Погледај сандуче, shiko kutinë"
    assert first.message["Subject"] == "Поштанско сандуче · Kutia"
    assert second.at >= first.at
    assert [path.name for path in sorted((tmp_path / "mail").iterdir())] == ["000001.eml", "000002.eml"]


async def test_it_can_refuse_and_be_away_and_comes_back_at_its_address() -> None:
    box = Mailbox()
    address = await box.start()
    host, _, port = address.partition(":")
    box.refusing = True
    with pytest.raises(aiosmtplib.SMTPResponseException, match="told to refuse"):
        await aiosmtplib.send(mail("x"), hostname=host, port=int(port))
    await box.stop()
    with pytest.raises(aiosmtplib.SMTPException):
        await aiosmtplib.send(mail("x"), hostname=host, port=int(port))
    box.refusing = False
    assert await box.start() == address
    await aiosmtplib.send(mail("x"), hostname=host, port=int(port))
    await box.stop()
    assert len(box.mails) == 1
