"""Watchmen for tests: processes of ours with a telephone each (the handset of the local stack), and a list of two operators."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from referral.local.handset.telephones import Entry, Handset
from referral.runtime.settings import Settings
from tests.harness.programs import Program
from tests.harness.waiting import until

FIRST, SECOND = "+99944000001", "+99944000002"
"""Numbers of the operators: made up, and in nobody's country."""
NAMES = ("east", "west")
IN_TIME_S = 90.0
"""Of the issue: from a fault to a call that is answered."""


@dataclass
class Post:
    """One watchman and its telephone."""

    name: str
    program: Program
    phone: Handset

    def calls(self) -> list[Entry]:
        """All calls so far."""
        return [entry for entry in self.phone.entries if entry.kind == "call"]

    async def rings(self, number: str, within: float = IN_TIME_S) -> Entry:
        """The call that rings at an operator's, once it does."""

        def look() -> Entry | None:
            assert self.program.runs(), self.program.said()[-2000:]
            return next((call for call in self.phone.ringing if call.number == number), None)

        found: Entry = await until(look, within, what=lambda: f"{number} rings; {self.program.said()[-1500:]}", pause=0.1)
        return found

    async def shows(self, line: str) -> bool:
        """Whether its metrics have this line."""
        async with httpx.AsyncClient(timeout=30) as http:
            return line in (await http.get(f"{self.program.inner}/metrics")).text

    async def answered(self, alarm: str, within: float = IN_TIME_S) -> None:
        """Return once an operator was called about this alarm, alone, and has pressed 1."""
        call = await self.rings(FIRST, within)
        assert "referral line needs you" in call.text
        said = [line for line in self.program.said().splitlines() if '"event": "calling"' in line]
        assert len(said) == 1 and f'"reason": "{alarm}"' in said[0], said
        await self.phone.press("1", FIRST)
        await until(lambda: self.shows('referral_watchman_calls_total{result="answered"} 1.0'), what="the key has counted")


def operators(folder: Path) -> Path:
    """The list, readable by its owner only."""
    made = folder / "operators.yaml"
    made.write_text(f'operators:\n  - {{language: en, voice: "{FIRST}"}}\n  - {{language: sq, voice: "{SECOND}"}}\n')
    made.chmod(0o600)
    return made


@asynccontextmanager
async def watchmen(
    settings: Settings, folder: Path, count: int = 1, before: tuple[str, ...] = (), **more: object
) -> AsyncIterator[list[Post]]:
    """Watchmen that are ready, and that expect each other if there are two. before: see Program."""
    secret = folder / "beat.key"
    secret.write_text(os.urandom(32).hex())
    secret.chmod(0o600)
    posts = []
    for name in NAMES[:count]:
        phone = Handset()
        await phone.start()
        told = {"instance": name, "watchman_operators": operators(folder), "watchman_handset": phone.url, **more}
        told["watchman_sms"] = f"{phone.url}/cgi-bin/sendsms"
        posts.append(Post(name, Program(settings, "services.watchman", before=before, **told), phone))
    if count == 2:
        for post, other in (posts, reversed(posts)):
            told = {"watchman_beat": f"{other.program.url}/beat", "watchman_expects": other.name, "watchman_beat_key_file": secret}
            post.program.add(**told)
    try:
        for post in posts:
            post.program.start()
        for post in posts:
            await post.program.answers()
        yield posts
    finally:
        for post in posts:
            await post.phone.stop()
            await post.program.kill()
