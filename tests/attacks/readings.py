"""Attacks upon the record of who reads the log (A7): an entry taken away, changed or never made, and a case opened past every door."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

from msgspec import structs
from rich.progress import Progress
from sqlalchemy import text

from referral.errors import Unavailable
from referral.local import keyfiles
from referral.proof import cover
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import Entry, Kind, digest
from referral.proof.history.case import unseal
from referral.proof.reading import OPERATOR, How, Reading
from referral.runtime.bootstrap import prepare_database
from referral.runtime.postgres import database, readings
from referral.runtime.settings import Settings
from tests.attacks.ground import WITNESSED, Attack, Noticed, copy, honest, numbered, verify, witnesses
from tests.attacks.history import ABOVE, KEY, NO_KEY
from tests.harness import servers
from tests.harness.engines import beginning

LENT = Reading(reader=OPERATOR, how=How.EXPORT, lent=digest(b"the key of a stranger").hex())
PAST = "the master key and a copy of the database"
OPERATES = "operator"
SQL = "writes audit's tables of requests"
Change = Callable[[list[Entry], int], list[Entry]]


def said(value: bytes, kind: Kind = Kind.READING) -> Entry:
    """An entry of audit's own."""
    place = {"topic": "", "partition": -1, "offset": -1, "kafka_time": 0, "key": None}
    return Entry(idx=0, kind=kind, value=value, sha256=digest(value), **place)  # type: ignore[arg-type]


@cache
def lent(at: int) -> tuple[Entry, ...]:
    """The honest log, in which the keys of all cases are lent at this entry."""
    entries = honest().entries
    return tuple(numbered([*entries[:at], structs.replace(said(LENT.encode()), logged_at=entries[at - 1].logged_at), *entries[at:]]))


def away(entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[:at], *entries[at + 1 :]]


def renamed(entries: list[Entry], at: int) -> list[Entry]:
    other = said(structs.replace(LENT, reader="ombudsperson", how=How.PAGE, lent="").encode())
    return [*entries[:at], structs.replace(other, logged_at=entries[at].logged_at), *entries[at + 1 :]]


def covered(entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[:at], structs.replace(said(bytes(cover.BYTES), Kind.COVER), logged_at=entries[at].logged_at), *entries[at + 1 :]]


CHANGES: dict[str, Change] = {"taken away": away, "made into another's reading": renamed, "made into cover": covered}


def changed(change: Change, at: int, *, key: bool) -> Noticed:
    """A lending that stands at this entry, and whose entry somebody changes; the tree is made anew. key: the log signs that."""
    base = copy(lent(at))
    there = copy(change([*lent(at)], at))
    if not key:
        there.checkpoint = base.tree.signed(len(base.leaves)).encode()
        return {"verify": verify(there)}
    if at < WITNESSED:
        there.witnesses = ()
        return {"verify": verify(there), "witness": witnesses(there, base=base)}
    silent = not verify(there) and not witnesses(there, base=base)
    return {"nobody": "no witness has signed it yet: the log's key changes what stands above, for a beat of five minutes" if silent else ""}


def listed() -> Noticed:
    """A key is lent to a stranger, and nothing is hidden."""
    report = judge(copy(lent(100)), VerifyOptions(keys=honest().keys), Progress(disable=True)).report
    return {"verify lists it": next((str(found) for found in report.findings if found.code == "READ"), "")}


def past_every_door() -> Noticed:
    """A case is opened where its key and its records lie. The log is what it was."""
    there = copy()
    entry = next(e for e in there.entries if e.case_id and e.kind is Kind.EVENT)
    opened = unseal(entry, honest().keys[entry.case_id]).body
    silent = opened is not None and not verify(there) and not witnesses(there)
    return {"nobody": "whoever has both needs no program of ours, so nothing is logged (open: P6)" if silent else ""}


@cache
def _refused() -> dict[str, Noticed]:
    return asyncio.run(_carried_out())


async def _carried_out() -> dict[str, Noticed]:
    """A lending is asked for while nobody logs it, and while somebody deletes each request before audit reads it."""
    made = servers.Servers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            master, _ = keyfiles.ensure(Path(folder))
            url = made.address("postgres")
            settings = Settings(
                kafka="",
                instance="attacks",
                drill_clock=True,
                database=url,
                database_passwords=servers.passwords(url),
                master_key_file=master,
            )
            await prepare_database(settings)
            stopped = {"the command": await _lend(settings)}
            async with beginning(database.admin(settings)) as tx:
                delete = "BEGIN DELETE FROM audit.reading WHERE id = NEW.id; RETURN NULL; END"
                await tx.execute(text(f"CREATE FUNCTION audit.gone() RETURNS trigger LANGUAGE plpgsql AS '{delete}'"))
                await tx.execute(text("CREATE TRIGGER gone AFTER INSERT ON audit.reading FOR EACH ROW EXECUTE FUNCTION audit.gone()"))
            return {"stopped": stopped, "withheld": {"the command": await _lend(settings)}}
    finally:
        made.close()


async def _lend(settings: Settings) -> str:
    """What the program says instead of lending; empty: it lent."""
    engine = database.admin(settings)
    try:
        await readings.record(engine, LENT.encode())
    except Unavailable as error:
        return f"nothing is lent: {error}"
    finally:
        await engine.dispose()
    return ""


def attacks() -> Iterator[Attack]:
    yield Attack(what="lend every key to a stranger's key (A7)", power=OPERATES, must=("verify lists it",), run=listed)
    for what, change in CHANGES.items():
        name = f"the entry of a lending {what} (A7)"
        yield Attack(what=name, power=NO_KEY, must=("verify",), run=partial(changed, change, 100, key=False))
        yield Attack(what=name, power=KEY, must=("verify", "witness"), run=partial(changed, change, 100, key=True))
        yield Attack(what=name, power=ABOVE, must=("nobody",), run=partial(changed, change, WITNESSED + 5, key=True))
    yield Attack(what="open a case past every door (A7)", power=PAST, must=("nobody",), run=past_every_door)


def served() -> Iterator[Attack]:
    """On a real database: ten seconds."""
    yield Attack(
        what="lend keys while audit is stopped (A7)",
        power=OPERATES,
        must=("the command",),
        run=lambda: _refused()["stopped"],
    )
    yield Attack(
        what="lend keys, and delete the request before audit reads it (A7)",
        power=SQL,
        must=("the command",),
        run=lambda: _refused()["withheld"],
    )
