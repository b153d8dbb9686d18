"""Leave exactly one entry in the log for each changing command of an operator, or change nothing.

A change in the database and its act are one transaction (`change`, `recorded`). A change elsewhere, in Kafka or in files, is an act that is
begun first and gets an outcome (`begun`). `connection.run` reads only, so no command changes the database past this module.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from typing import TypeVar

from msgspec import json, structs
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.ca import identity
from referral.cli import connection, second_operator, standing
from referral.cli.second_operator import Pair
from referral.errors import Unavailable
from referral.proof.act import Act, State, parse
from referral.runtime import trust_file
from referral.runtime.keys import case_keys
from referral.runtime.postgres import acts, clock
from referral.runtime.settings import Settings
from referral.wire.act_table import ELSEWHERE, IN_DATABASE
from referral.wire.signed.operator_word import by_two

T = TypeVar("T")
PURPOSE = "administration"


def change(found: Settings, command: str, work: Callable[[AsyncConnection, list[str]], Awaitable[T]], *about: str, word: str = "") -> T:
    """Run one transaction as the administrator that changes something and records it.

    work: gets the transaction, and the subjects of the act, to which it may add; an error in it leaves neither change nor entry.
    about: subjects that are known before. word: a second operator's, for a command that takes two.
    Rejected: nobody's certificate is here, or no word of a second operator. Unavailable: the database is down.
    """

    async def whole(tx: AsyncConnection) -> T:
        async with recorded(tx, found, command, *about, word=word) as subjects:
            return await work(tx, subjects)

    return connection.write(found, whole)


@asynccontextmanager
async def recorded(tx: AsyncConnection, found: Settings, command: str, *about: str, word: str = "") -> AsyncIterator[list[str]]:
    """Record the block, a change in the caller's transaction, as an act. It yields its subjects, to which the block may add.

    word: a second operator's. Rejected: the command takes two, and this is no other's word for exactly this.
    """
    assert command in IN_DATABASE, command
    subjects, by = list(about), holder(found)
    two = await _pair(tx, found, command, about, by, word)
    yield subjects
    await _put(tx, _act(found, command, by, subjects), two)


@contextmanager
def begun(found: Settings, command: str, *about: str, word: str = "") -> Iterator[None]:
    """Record the block, a change outside the database: the act is in the database before, and its outcome after.

    word: a second operator's. Rejected: the command takes two, and this is no other's word for exactly this. Unavailable: the database is
    down. Nothing was changed then.
    """
    assert command in ELSEWHERE, command
    act = structs.replace(_act(found, command, holder(found), about), state=State.BEGUN)

    async def begin(tx: AsyncConnection) -> tuple[Act, Pair | None]:
        two = await _pair(tx, found, command, about, act.by, word)
        return await _put(tx, act, two), two

    act, two = connection.write(found, begin)
    try:
        yield
    except BaseException:
        with suppress(Unavailable):  # the entry then says that no outcome is known, and the error says why
            connection.write(found, lambda tx: _put(tx, structs.replace(act, state=State.FAILED), two))
        raise
    connection.write(found, lambda tx: _put(tx, structs.replace(act, state=State.DONE), two))


def preparing(found: Settings) -> AbstractContextManager[None]:
    """Record the block, `prepare`. The first one makes the table of acts itself, so its act follows it."""
    if connection.run(found, acts.kept):
        return begun(found, "prepare")
    return _first(found)


@contextmanager
def _first(found: Settings) -> Iterator[None]:
    act = _act(found, "prepare", holder(found), ())
    yield
    connection.write(found, lambda tx: _put(tx, act, None))


def holder(found: Settings) -> str:
    """Return the holder of the operator's certificate, operator/NAME. Rejected: REFERRAL_TLS names no identity."""
    return str(identity.read(found.identity()).leaf.name)


def digest(found: Settings, arguments: tuple[str, ...]) -> str:
    """Return the keyed digest of a command's arguments, hexadecimal."""
    return case_keys.Keys(case_keys.master(found)).hmac(PURPOSE, json.encode(arguments)).hex()


def _act(found: Settings, command: str, by: str, about: tuple[str, ...] | list[str]) -> Act:
    return Act(
        id=uuid.uuid4().hex,  # noqa: TID251 - an act begins here
        command=command,
        state=State.DONE,
        by=by,
        at=0,
        arguments=digest(found, second_operator.arguments()),
        about=tuple(about),
    )


async def _pair(tx: AsyncConnection, found: Settings, command: str, about: tuple[str, ...], by: str, word: str) -> Pair | None:
    """Return both operators of an act; None: it takes one. Rejected: see `second_operator.pair`, or an act has used the word."""
    if not by_two(command, about):
        return None
    now = await clock.now(tx) // 1_000_000
    operators = trust_file.read(found).operators
    two = second_operator.pair(operators, found.operator_keys, command, about, by=by, text=word, now=now)
    if two is not None and await acts.used(tx, two.word.digest):
        raise second_operator.used(by)
    return two


async def _put(tx: AsyncConnection, act: Act, two: Pair | None) -> Act:
    """Store an act, and return it without its time and signatures. The first act of a log accounts for all that stood before it."""
    if not await acts.any_(tx):
        act = structs.replace(act, about=tuple(dict.fromkeys((*act.about, *(await standing.read(tx)).subjects()))))
    dated = structs.replace(act, at=await clock.now(tx))
    value = (two.signed(dated) if two else dated).encode()
    parse(value)  # what audit would refuse must not be committed
    await acts.put(tx, value)
    return act
