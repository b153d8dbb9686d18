"""Everybody who asks at a line: accounts with sessions, and requests with a valid session and the token of its forms."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import SECOND_US
from referral.domain.policy import Policy
from referral.runtime.postgres import clock
from services.intake.accounts import rules, store
from tests.harness.need_to_know.cases import LOGIN, OFFICE, Case
from tests.harness.need_to_know.matrix import OUTSIDE
from tests.harness.web.world import World

HOURS_2 = 2 * 60 * 60 * SECOND_US
TOKENS = {"system": "token-of-police-prizren", "auditor": "token-of-auditor", "oversight": "token-of-oversight"}
_ACCOUNT = text(
    "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at) "
    "VALUES (:id, :login, 'none', :agency, 'en', :desk, :head, false, 0)"
)


@dataclass(frozen=True)
class Asker:
    """Somebody who asks. name: of the column. cookie: as a browser sends it. form: token of its forms. bearer: of a program; or empty.

    like: askers of one kind get the same answer for a thing that does not exist.
    """

    name: str
    agency: str
    login: str
    account: str
    cookie: str
    form: str
    bearer: str = ""
    like: str = ""

    def ask(self, world: World, method: str, path: str, form: Mapping[str, str] | None = None) -> httpx.Response:
        """Send one request; a form carries the token of this session."""
        headers = {"accept": "text/html", "accept-language": "en", "cookie": self.cookie}
        headers |= {"authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        return world.ask(method, path, data=None if form is None else {**form, "form": self.form}, headers=headers)

    def plain(self, answer: httpx.Response, *ids: str) -> tuple[Any, ...]:
        """Return an answer without what differs between two requests, and between two people of the same kind."""
        body = answer.text.replace(f"{OFFICE}/{self.agency}/", "AGENCY").replace(self.login or "LOGIN", "LOGIN")
        where = answer.headers.get("location", "")
        for id in ids:
            body, where = body.replace(id, "ID"), where.replace(id, "ID")
        body = re.sub(r'(name="(?:form|key)" value=")[^"]*', r"\1", body)
        names = sorted(set(answer.headers) - {"content-length", "date"})
        return answer.status_code, where, re.sub(r"\d\d:\d\d", "HH:MM", body), tuple(names), answer.headers.get("content-type")


def outsiders(world: World) -> Iterator[Asker]:
    """Yield a browser without a session, and programs with the tokens of others."""
    world.by_hand(_tokens)
    visit = uuid.uuid4().hex
    for name in ("nobody", *TOKENS):
        yield Asker(name, "", "", "", f"visit={visit}", rules.form_token(visit), TOKENS.get(name, ""), like=name)


async def _tokens(tx: AsyncConnection) -> None:
    sql = text("INSERT INTO intake.agency_token VALUES (:hash, 'police-prizren', 'test', 0, NULL)")
    await tx.execute(sql, {"hash": hashlib.sha256(TOKENS["system"].encode()).digest()})


def staff(world: World, case: Case, elsewhere: str) -> dict[str, Asker]:
    """Return column → a person who is signed in. elsewhere: an agency without part in the case."""
    other = world.policy.municipalities[world.policy.agencies[case.former].municipality]
    places = {
        "elsewhere": elsewhere,
        "headof": elsewhere,
        "sender": case.sender,
        "later": case.later,
        "beside": case.beside.agency,
        "past": "" if case.over is None else case.over.agency,
        "asked": case.asked.agency,
        "colleague": case.asked.agency,
        "head": case.asked.agency,
        "kept": case.asked.agency,
        "old": case.asked.agency,
        "off": case.asked.agency,
        "away": case.away.agency,
        "coordinator": case.notice.agency,
        "coordinator2": other.coordinator,
        "desk": case.desk,
        "desk2": case.former,
        "removed": case.desk,
    }
    return world.run(lambda tx: _staff(tx, world, case, {name: agency for name, agency in places.items() if agency}))


async def _staff(tx: AsyncConnection, world: World, case: Case, places: Mapping[str, str]) -> dict[str, Asker]:
    now = await clock.now(tx)
    made = {}
    for name, agency in places.items():
        id, login = str(uuid.uuid4()), f"{LOGIN}.{case.number}.{name}"
        marks = {"desk": name in ("desk", "desk2", "removed"), "head": name in ("head", "headof", "removed")}
        await tx.execute(_ACCOUNT, {"id": id, "login": login, "agency": agency, **marks})
        token, seal = await store.start_session(tx, id, now)
        seen = now - HOURS_2 if name == "old" else now
        like = name if name in OUTSIDE else "desk" if name in ("desk", "desk2") else "head" if name in ("head", "headof") else "staff"
        made[name] = Asker(name, agency, login, id, f"session={token}.{rules.seen_mark(seal, seen)}", rules.form_token(token), like=like)
    taken = "UPDATE intake.account SET desk = false, head = false WHERE id = :removed"
    await tx.execute(text(taken), {"removed": made["removed"].account})
    await tx.execute(text("UPDATE intake.account SET disabled = true WHERE id = :off"), {"off": made["off"].account})
    exclude = text("INSERT INTO intake.exclusion (case_id, kind, actor) VALUES (:case, 'STAFF', :actor)")
    await tx.execute(exclude, {"case": case.case_id, "actor": made["kept"].account})
    return made


def renamed(asker: Asker, name: str) -> Asker:
    """Return the same person in another column."""
    return replace(asker, name=name)


def apart(policy: Policy, made: Iterable[Case]) -> str:
    """Return an agency without part in any of these cases."""
    part = {agency for case in made for agency in case.agencies}
    return next(id for id, one in sorted(policy.agencies.items(), reverse=True) if id not in part and not one.desk)
