"""Attacks upon the way to a person: servers that hang, lie or are dead, and typing errors. Real sockets, no database: cheap."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from referral.channels import Outgoing, Refused, Unreached
from referral.channels.email import Email, Relay
from referral.channels.lane import Lane, Line
from referral.cli.admin import roster
from referral.errors import Rejected
from referral.runtime.settings import CHECKOUT, Settings, read
from services.notifier.deliveries import Backlog, Waiting
from services.notifier.health import Watch
from services.notifier.metrics import Figures
from tests.attacks.ground import Attack, Noticed

RELAY, PATH, OPERATOR = "whoever runs the mail relay", "whoever sits before the relay", "an operator in a hurry"
MINUTE = 60
SECOND = 1_000_000
BRIEF = 0.3
Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter, list[bytes]], Awaitable[None]]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[bytes]) -> None:
    """Takes the connection and says nothing for ever."""
    await reader.read()


async def stripped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[bytes]) -> None:
    """A relay whose offer of STARTTLS somebody has taken out, and who takes any password."""
    writer.write(b"220 relay.test\r\n")
    while line := await reader.readline():
        heard.append(line)
        answers = {b"EHLO": b"250-relay.test\r\n250 AUTH PLAIN LOGIN\r\n", b"AUTH": b"235 welcome\r\n", b"QUIT": b"221 bye\r\n"}
        writer.write(answers.get(line[:4].upper(), b"250 OK\r\n"))


async def meet(session: Session, knock: Callable[[int], Awaitable[str]]) -> tuple[str, list[bytes]]:
    """What a knock at such a server came to, and what the server heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await session(reader, writer, heard)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        return await knock(server.sockets[0].getsockname()[1]), heard
    finally:
        server.close()


async def knocked(line: Line) -> str:
    """The word for it; empty when the message left."""
    try:
        await line.open()
        await line.send(Outgoing("made.up@example.org", "00000000-0000-4000-8000-000000000000", "4711", "en", False, ""))
    except (Refused, Unreached) as word:
        return str(word)
    finally:
        await line.close()
    return ""


def hanging() -> Noticed:
    """The line must be free within its limit, and the attempt must have a word."""

    async def knock(port: int) -> str:
        async with asyncio.timeout(10 * BRIEF):
            return await knocked(Line(Lane(lambda: Email(Relay("127.0.0.1", port, "inbox@example.org")), 1, BRIEF)))

    word, _ = asyncio.run(meet(silent, knock))
    return {"sender": f"the attempt ends as {word}, its line goes on" if word else ""}


def password(user: bool) -> Noticed:
    """A password, or with TLS required a message, that leaves in clear."""

    async def knock(port: int) -> str:
        who = {"user": "notifier", "password": "made-up-password"} if user else {}
        return await knocked(Line(Lane(lambda: Email(Relay("127.0.0.1", port, "inbox@example.org", None if user else True, **who)), 1)))

    word, heard = asyncio.run(meet(stripped, knock))
    leaked = any(line[:4].upper() in (b"AUTH", b"MAIL", b"DATA") for line in heard)
    return {"sender": "" if leaked or not word else f"nothing leaves: {word}"}


def in_clear() -> Noticed:
    """The setting itself."""
    told = {"REFERRAL_SMTP_USER": "notifier", "REFERRAL_SMTP_PASSWORD_FILE": str(Path(__file__)), "REFERRAL_SMTP_TLS": "never"}
    try:
        read({**told, "REFERRAL_SMTP": "relay.test:25"})
    except Rejected as refused:
        return {"start": str(refused)}
    return {"start": ""}


def dead() -> Noticed:
    """Every attempt is put off, so nothing is ever due: readiness must count from when it was first."""
    watch = Watch(None, Figures(CollectorRegistry()))  # type: ignore[arg-type]
    watch._now = Backlog({"email": Waiting(3, (MINUTE - 1) * SECOND, (MINUTE - 1) * SECOND)})
    return {"readiness": watch.not_ready().get("knocks-late", "")}


def typed(what: Callable[[Settings], object]) -> Noticed:
    """A word that is nearly right."""
    try:
        what(Settings(kafka="", database="", master_key_file=Path(), instance="attack", policy=CHECKOUT / "policy"))
    except Rejected as refused:
        return {"command": str(refused) if "did you mean" in str(refused) else ""}
    return {"command": ""}


def attacks() -> Iterator[Attack]:
    yield Attack(what="a channel that takes the call and never answers", power=RELAY, must=("sender",), run=hanging)
    yield Attack(what="a relay that is dead for a minute", power=RELAY, must=("readiness",), run=dead)
    yield Attack(what="STARTTLS stripped before the password", power=PATH, must=("sender",), run=partial(password, True))
    yield Attack(what="STARTTLS stripped where it is required", power=PATH, must=("sender",), run=partial(password, False))
    yield Attack(what="a password set to go out in clear", power=OPERATOR, must=("start",), run=in_clear)
    wrong: dict[str, Callable[[Settings], object]] = {
        "an agency with a letter missing": lambda found: roster.agency(found, "police-prizen"),
        "a rung with a letter missing": lambda found: roster.rungs(found, "police-prizren", ["duty-oficer"]),
    }
    for what, run in wrong.items():
        yield Attack(what=what, power=OPERATOR, must=("command",), run=partial(typed, run))
