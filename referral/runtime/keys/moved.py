"""Move an installation of before decision 0047: give each case a key for its file, and wrap its keys for each reader.

Until then one key of a case opened its events and its file, and the master key wrapped it for all services. `referral prepare` moves the
database in its own transaction and the topic referral-keys afterwards; the old forms stay until the topic has the new ones, so a process
that was killed anywhere is repeated.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys, key_topic
from referral.runtime.keys.case_keys import KEY, CaseKeys, Keys
from referral.runtime.keys.service_keys import ALL, derived
from referral.runtime.postgres import bulk, database
from referral.runtime.settings import Settings

NONCE = 12
_OLD = text("SELECT case_id, wrapped FROM keys.case_key WHERE reader = :all ORDER BY case_id")
_HAVE = text("SELECT DISTINCT case_id FROM keys.case_key WHERE reader <> :all")
_DROP = text("DELETE FROM keys.case_key WHERE reader = :all AND case_id = ANY(CAST(:ids AS text[]))")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A table of intake with a column `sealed` under the key of the case's file.

    id: columns that name a row.
    place: the words that the seal covers beside the case, in order: a column, or after `=` the word itself.
    """

    table: str
    id: tuple[str, ...]
    place: tuple[str, ...]


FILES = (
    Sealed("intake.casefile", ("case_id",), ("=standing",)),
    Sealed("intake.exclusion", ("case_id", "kind", "actor"), ("=standing",)),
    Sealed("intake.section", ("case_id", "section", "version"), ("section", "version")),
    Sealed("intake.recorded", ("response_id", "need"), ("response_id", "need")),
    Sealed("intake.happening", ("case_id", "seq"), ("=timeline", "seq")),
    Sealed("intake.draft", ("account", "offer_id", "section"), ("=draft", "account", "offer_id", "section")),
)
"""Tables of a case file."""


async def rows(tx: AsyncConnection, settings: Settings) -> int:
    """Make the keys of cases that have only a form of before, in the caller's transaction, and seal their files under the new ones.

    Return the number of cases. Rejected: the master key is missing, or not the one of this database.
    """
    old = {row.case_id: row.wrapped for row in await tx.execute(_OLD, {"all": ALL})}
    have = set((await tx.execute(_HAVE, {"all": ALL})).scalars()) if old else set[str]()
    if not (left := {case_id: wrapped for case_id, wrapped in old.items() if case_id not in have}):
        return 0
    operator = Keys(case_keys.master(settings))
    for case_id, wrapped in left.items():
        before = operator.opened(case_id, wrapped)
        after = case_keys.with_file(before)
        await _seal(tx, case_id, AESGCM(derived(before, "case-file")), after)
        await bulk.write(tx, {KEY: operator.rows({case_id: after})})
    return len(left)


async def _seal(tx: AsyncConnection, case_id: str, before: AESGCM, after: CaseKeys) -> None:
    """Seal every row of a case's file under its new key."""
    assert after.file is not None
    cipher = AESGCM(after.file)
    for kind in FILES:
        columns = ", ".join(dict.fromkeys((*kind.id, *(word for word in kind.place if not word.startswith("=")))))
        sql = f"SELECT {columns}, sealed FROM {kind.table} WHERE case_id = :case AND sealed IS NOT NULL"  # noqa: S608
        found = (await tx.execute(text(sql), {"case": case_id})).all()
        name = " AND ".join(f"{column} = :{column}" for column in kind.id)
        for row in found:
            values: dict[str, Any] = row._asdict()
            words = (word[1:] if word.startswith("=") else str(values[word]) for word in kind.place)
            place, nonce = "/".join((case_id, *words)).encode(), os.urandom(NONCE)
            plain = before.decrypt(values["sealed"][:NONCE], values["sealed"][NONCE:], place)
            changed = {**{column: values[column] for column in kind.id}, "sealed": nonce + cipher.encrypt(nonce, plain, place)}
            await tx.execute(text(f"UPDATE {kind.table} SET sealed = :sealed WHERE {name}"), changed)  # noqa: S608


async def topic(settings: Settings) -> None:
    """Publish the new forms of moved cases, take the old ones off the topic, then drop them. OSError, KafkaError: repeat."""
    engine: AsyncEngine = database.admin(settings)
    try:
        async with engine.begin() as tx:
            if cases := [case_id for case_id, _ in await tx.execute(_OLD, {"all": ALL})]:
                async with clients.producer(settings) as producer:
                    await key_topic.copy(producer, settings, await key_topic.forms(tx, cases))
                    await key_topic.withdraw(producer, settings, cases)
                await tx.execute(_DROP, {"all": ALL, "ids": cases})
    finally:
        await engine.dispose()
