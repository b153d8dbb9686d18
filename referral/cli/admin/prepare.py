"""`referral prepare`: make the roles, schemas, tables, rights and topics that the services need before they start.

`referral recover`: rebuild the tables from the topics after the database was set back to an older copy and Kafka is ahead.
`referral topics rebuild`: make the topics again from the log after the brokers were lost and the database is whole.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Annotated

import typer
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, connection, console
from referral.errors import Unavailable
from referral.proof.entry import CASE_TOPICS
from referral.runtime import bootstrap as runtime
from referral.runtime import settings
from referral.runtime.kafka import scan
from referral.runtime.recovery import rebuild
from referral.runtime.settings import SERVICES, Settings
from referral.wire import topics

Older = Annotated[
    bool, typer.Option("--beside-older", help="Leave the release before this one what it needs, while it runs too. Prepare again after.")
]


def prepare(beside_older: Older = False, as_json: console.Json = False) -> int:
    """Make roles, schemas, tables and topics. Repeating it is harmless; it removes nothing but rights that nobody should have.

    Each role gets the password of its file in REFERRAL_DATABASE_PASSWORDS; missing files are made. `referral up` does this by itself.
    It prints the statements that only a superuser of the database may run, if the administrator is none.

    Exit 0: everything matches. 1: a topic or the database differs. 2: one of them is down.

    Example: referral prepare
    """
    found = structs.replace(settings.load(), beside_older=beside_older)
    with connection.reached(), administration.preparing(found):
        left = asyncio.run(runtime.prepare(found))
    names = [found.topic(name) for name in topics.load(found.schemas / "topics.yaml")]
    if as_json:
        return console.document({"schemas": list(SERVICES), "topics": names, "left": [one._asdict() for one in left]})
    console.say(f"ready: schemas {', '.join(SERVICES)} · topics {', '.join(names)}")
    for one in left:
        do = "a superuser runs in this database:" if one.remedy else "run `referral prepare` again once it has ended"
        console.errors.print(f"open: {one.said}; {do}\n{one.remedy}", soft_wrap=True, markup=False, highlight=False)
    return 0


ORDER = ("routing", "intake", "notifier", "audit")
"""Routing is first, because intake needs the policy in force. Each is one transaction that fences its service and restores the keys."""


def recover(word: console.Word = "", as_json: console.Json = False) -> int:
    """Rebuild the services' tables from the topics, after their units stopped as `rewound-sql`. Repeating it is harmless.

    Exit 0: done; the units resume by themselves. 2: database or broker down; the service that the message names is unchanged.

    Example: referral recover
    """
    connection.ask(_answer)
    with administration.begun(settings.load(), "recover", word=word):
        done = _recovered()
        done["oversight"] = {"cases to count again": connection.write(settings.load(), _count_again)}
    if as_json:
        return console.document(done)
    console.table(("service", "what", "number"), [(s, what, n) for s, counts in done.items() for what, n in counts.items()])
    console.say("now: `referral doctor`, then `referral audit verify`")
    return 0


def _recovered() -> dict[str, dict[str, int]]:
    """Recover each service in turn, and return what it restored."""
    done: dict[str, dict[str, int]] = {}
    for service in ORDER:
        result = subprocess.run([sys.executable, "-m", f"services.{service}.recover"], stdout=subprocess.PIPE, check=False)
        if result.returncode:
            raise Unavailable(f"what `recover` of {service} needs (its own message is above; {', '.join(done) or 'nothing'} is done)")
        done[service] = json.loads(result.stdout)
    return done


async def _count_again(tx: AsyncConnection) -> int:
    """Throw away what oversight has counted: while keys were missing it took cases for erased. It ends, and reads the topics again."""
    await tx.execute(text("DELETE FROM oversight.progress"))
    return int((await tx.execute(text("DELETE FROM oversight.counted"))).rowcount)


async def _answer(_: AsyncConnection, found: Settings) -> None:
    """Check that database and broker answer, before any service begins."""
    await scan.ends(found, CASE_TOPICS)


Topics = Annotated[list[str] | None, typer.Argument(help="Topics, as in schemas/avro/topics.yaml; by default all that the log has.")]


def rebuild_command(names: Topics = None, word: console.Word = "", as_json: console.Json = False) -> int:
    """Make lost topics again from the log: each record at the offset and with the time that it had. They must be there, and empty.

    No service may run meanwhile. What was published and is not in the log yet, the services publish again when they start. What agencies
    had published themselves and nobody had read is lost with the brokers: they send it again.

    Exit 0: done; start the services. 1: a topic is not empty or missing, or a service runs. 2: database or broker down.

    Example: referral topics rebuild
    """
    found, subjects = settings.load(), [f"topic:{name}" for name in names or () if rebuild.chosen([name])]
    connection.ask(_answer)
    with administration.begun(found, "topics rebuild", *subjects, word=word):
        done = asyncio.run(rebuild.rebuild(found, names or (), _progress))
    if as_json:
        return console.document(done)
    console.table(("topic", "what", "number"), [(topic, what, n) for topic, counts in done.items() for what, n in counts.items()])
    console.say("now: start the services, then `referral doctor` and `referral audit verify`")
    return 0


def _progress(topic: str, records: int) -> None:
    """Print to a terminal how far it is, as a million records take minutes."""
    if console.errors.is_terminal:
        console.errors.print(f"{topic}: {records}", end="\r")
