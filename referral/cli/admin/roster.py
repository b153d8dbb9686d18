"""Read the roster for the commands that show it.

`notifier` runs the notifier's own rules, so that `referral duty` and the notifier always agree who is on duty.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.policy.reading.reader import allowed
from referral.errors import Rejected, Unavailable
from referral.roster.changes import account_id
from referral.runtime.settings import Settings


def agency(found: Settings, written: str, where: str = "--agency") -> str:
    """Return the id of an agency. where: the argument or option that named it. Rejected: the directory has no agency of this name."""
    known = sorted(path.stem for path in (found.policy / "directory").glob("*.yaml"))
    if written not in known:
        raise Rejected("unknown-agency", where, f"use an id of the directory: {allowed(written, known)}")
    return written


def rungs(found: Settings, of: str, written: Iterable[str]) -> tuple[str, ...]:
    """Return rungs of an agency's ladder, each once. of: the agency's id. Rejected: its ladder has no such rung."""
    file = found.policy / "directory" / f"{of}.yaml"
    ladder = tuple(yaml.safe_load(file.read_text("utf-8")).get("ladder", ())) if file.is_file() else ()
    for word in written:
        if word not in ladder:
            raise Rejected("unknown-rung", "--rung", f"use a rung of the ladder of {of}: {allowed(word, ladder)}")
    return tuple(sorted(set(written)))


_READ = {
    "people": text(
        "SELECT account, agency, rungs, (SELECT language FROM intake.account i WHERE i.id = p.account) AS language, disabled,"
        " ARRAY(SELECT channel FROM notifier.contact c WHERE c.account = p.account AND c.ended_at IS NULL ORDER BY channel) AS channels"
        " FROM notifier.person p WHERE ended_at IS NULL AND account <> 'canary'"  # a number of ours
        " AND (CAST(:agency AS text) IS NULL OR agency = :agency) ORDER BY agency, account"
    ),
    "weekly": text(
        "SELECT id, account, agency, rung, weekday, start_minute, end_minute, since, until FROM notifier.weekly"
        " WHERE ended_at IS NULL AND (CAST(:agency AS text) IS NULL OR agency = :agency) ORDER BY agency, rung, weekday, start_minute"
    ),
    "single": text(
        "SELECT id, account, agency, rung, starts, ends FROM notifier.single"
        " WHERE ended_at IS NULL AND (CAST(:agency AS text) IS NULL OR agency = :agency) ORDER BY agency, rung, starts"
    ),
    "absence": text(
        "SELECT id, account, starts, ends FROM notifier.absence WHERE ended_at IS NULL AND account IN (SELECT account FROM notifier.person"
        " WHERE ended_at IS NULL AND (CAST(:agency AS text) IS NULL OR agency = :agency)) ORDER BY starts"
    ),
    "rules": text(
        "SELECT account, loudness, channel, after FROM notifier.rule WHERE ended_at IS NULL AND account IN (SELECT account FROM"
        " notifier.person WHERE ended_at IS NULL AND (CAST(:agency AS text) IS NULL OR agency = :agency)) ORDER BY account, loudness, after"
    ),
    "paused": text("SELECT added_at AS at, reason FROM notifier.pause WHERE ended_at IS NULL"),
}


async def read(tx: AsyncConnection, agency: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return table → rows as mappings, of one agency or of all. Never an address."""
    found = {}
    for name, statement in _READ.items():
        values = {} if name == "paused" else {"agency": agency}
        found[name] = [dict(row) for row in (await tx.execute(statement, values)).mappings()]
    return found


async def owner(tx: AsyncConnection, account: str, agency: str) -> None:
    """Check that the inbox account exists and belongs to this agency, because a knocked person must be able to sign in. Rejected."""
    row = (await tx.execute(text("SELECT agency FROM intake.account WHERE id = :id"), {"id": account_id(account)})).one_or_none()
    if row is None:
        raise Rejected("unknown", "account", f"no inbox account has this id; `referral staff list --agency {agency}` prints them")
    if row.agency != agency:
        raise Rejected("other-agency", "--agency", f"this account belongs to {row.agency}; it sees no other agency's offers")


def notifier(program: str, *arguments: str) -> dict[str, Any]:
    """Return what a program of the notifier prints about its rota: gaps, history or spans.

    Unavailable: it failed; its own message is on standard error.
    """
    words = [sys.executable, "-m", f"services.notifier.{program}", *arguments]
    result = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    if result.returncode:
        raise Unavailable("what the notifier's rules need (their own message is above)")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def notifier_history(*arguments: str) -> dict[str, Any]:
    """Return who is on duty by the notifier's own rules, now or at an instant, and what has changed."""
    return notifier("history", *arguments)


def uncovered(rungs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rungs with shifts that name nobody now: the rota has a hole, or has run out."""
    return [{"agency": r["agency"], "rung": r["rung"], "now": r["said"]} for r in rungs if r["bare"]]
