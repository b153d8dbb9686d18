"""The checks of `referral doctor` that look at the installation beside its cases: rights, passwords, tokens, accounts, walls, backups,
certificates. Each asks, or is told by its one source, and judges at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.ca import identity, periods
from referral.cli import standing
from referral.cli.admin import security
from referral.cli.admin.doctor.facts import US, operators_keys
from referral.cli.admin.doctor.result import Check, Result, check
from referral.domain.durations import DAY_US, SECOND_US
from referral.domain.inputs import ROSTER_BOOK
from referral.domain.local_time import moment
from referral.errors import Malformed, Rejected, Unproven
from referral.runtime import trust_file
from referral.runtime.alert_rules import rules
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import backups, bounds, clock, rights, roles, stored_code
from referral.runtime.postgres.backups import ARCHIVE, Backups
from referral.runtime.postgres.tokens import AUDITOR_TOKEN_DAYS, AUDITORS
from referral.runtime.settings import Settings

MB = 1_000_000
SOON_US = 30 * DAY_US
"""µs before its end in which an auditor's token is a warning (ours): an office answers within weeks."""
ENDED_US = 14 * DAY_US
"""µs after its end in which it is red (ours); an office that has not asked for another by then reads no more."""
LEAST_BEAT_S = 10
"""Seconds (ours). Two checkpoints that are nearer than this were not signed on a beat that hides anything: see docs/decisions/0044."""
PAUSED = text("SELECT min(added_at) FROM notifier.pause WHERE ended_at IS NULL")
PAUSE = text(  # of the last day: a day after a mended setting the warning ends
    "SELECT min(at - before) / 1e6::float8 FROM"
    " (SELECT at, lag(at) OVER (ORDER BY size) AS before FROM audit.checkpoint WHERE at > :since) AS pauses"
)


async def examine(tx: AsyncConnection, found: Settings) -> list[Check]:
    """Run every check but `duty`."""
    at, moved = await clock.shown(tx)
    ahead, real = await clock.offset(tx), not await clock.drills(tx)
    now = at - ahead
    pause: float | None = (await tx.execute(PAUSE, {"since": now - DAY_US})).scalar_one()
    made = [(token.holder.name, token.made_at) for token in await AUDITORS.read(tx) if token.ended_at is None]
    return [
        true_clock(ahead, moved),
        knocks((await tx.execute(PAUSED)).scalar_one()),
        check(
            "rights",
            [*await rights.differences(tx), *(one.said for one in await bounds.differences(tx))],
            "each role has what rights.yaml gives it, and owns nothing",
            "find out who changed them; then `referral prepare` applies rights.yaml again, or prints what a superuser must",
        ),
        await passwords(found),
        tokens(made, at),
        await commands(tx, operators_keys(found)[0]),
        events((await security.read(tx, DAY_US, at))[1]),
        walls(missing(found), await stored_code.differences(tx), pause, real),
        backup(await backups.read(tx), real),
        certificates(_ends(found), now),
    ]


def true_clock(ahead: int, moved: bool) -> Check:
    """Check that nobody moved the clock of a database that holds real cases."""
    bad = [f"somebody moved it by {ahead / SECOND_US:+.0f} s, and this is no drill: nothing is decided"] if moved else []
    return check("clock", bad, "as the database server's", "find out who wrote to runtime.clock; UPDATE runtime.clock SET offset_us = 0")


def duty(rungs: Iterable[Mapping[str, Any]]) -> Check:
    """Check that no rota has run out unnoticed; otherwise everybody on the rung is woken. rungs: by the notifier's own rules."""
    bare = [f"{one['rung']} of {one['agency']}: {one['said']}" for one in rungs if one["ran_out"]]
    do = "`referral duty show` prints the shifts; add the next ones with `referral duty shift`"
    return check("duty", bare, "every rota that was begun names somebody, or has a hole on purpose", do)


def knocks(paused: int | None) -> Check:
    """Check that sending is not paused: nobody is woken meanwhile, and no agency is charged with its silence. paused: since when."""
    warn = [] if paused is None else [f"no knock is sent since {moment(paused)}: nobody is woken"]
    return check("knocks", [], "knocks are sent", "`referral duty show` displays why, `referral duty resume` resumes sending", warn)


async def passwords(found: Settings) -> Check:
    """Check that the database lets each role in with the password of its own file, and with no other."""
    if found.database_passwords is None:
        do = "set REFERRAL_DATABASE_PASSWORDS, as for `referral prepare`"
        return Check(name="passwords", result=Result.UNCHECKED, said="no folder with the passwords of the roles is named", do=do)
    try:
        bad = await roles.differences(found, roles.passwords(found))
    except Rejected as error:
        bad = [error.hint]
    do = "`referral prepare` gives each role the password of its file; the server's pg_hba.conf must ask for it: scram-sha-256"
    return check("passwords", bad, "each role has its own, and the server asks for it", do)


def tokens(made: Iterable[tuple[str, int]], now: int) -> Check:
    """Check that no auditor's newest token has just ended; warn of one that ends soon. made: (office, µs UTC) of each."""
    ends = {office: at + AUDITOR_TOKEN_DAYS * DAY_US for office, at in sorted(made, key=lambda one: one[1])}
    bad = [f"the token of {office} has ended on {moment(at)}" for office, at in sorted(ends.items()) if 0 <= now - at < ENDED_US]
    warn = [f"the token of {office} ends on {moment(at)}" for office, at in sorted(ends.items()) if 0 < at - now < SOON_US]
    good = f"{sum(at > now for at in ends.values())} auditors have a token"
    return check("tokens", bad, good, "`referral audit token OFFICE` makes the next one; `--end` if the office reads no more", warn)


async def commands(tx: AsyncConnection, keys: Keys | None) -> Check:
    """Check that the log accounts for each account, row of the roster, token and policy: whoever writes by hand leaves no entry."""
    try:
        book = (await keys.load(tx, [ROSTER_BOOK])).get(ROSTER_BOOK) if keys else None
    except Rejected:  # the key file is wrong, which `keys` says
        book = None
    acts, by_hand = await standing.by_hand(tx, book)
    good = f"{acts} acts of operators; each account, row of the roster, token and policy is in the log"
    return check("commands", by_hand, good, "find out who writes into the database by hand: docs/operators.md, By hand")


def events(altered: Iterable[str]) -> Check:
    """Check that the log still seals the security events of the last day as they are: nobody may change or remove one."""
    do = "somebody wrote past the services: who has the administrator's password? `referral security events --hours 8760` compares a year"
    return check("events", altered, "the log seals each security event of the last day", do)


def missing(found: Settings) -> list[str]:
    """Return whom `trust.toml` puts off; nothing for a file that is missing or malformed, which no service starts with."""
    try:
        known = trust_file.read(found)
    except Rejected:
        return []
    off = {
        "writers: a record needs no signature of its service (A3)": not known.writers.keys,
        "approvers: intake alone erases (A1)": not known.erasers.approvers,
        "operators: one alone opens doors (0049)": not known.operators.keys,
    }
    return [f"trust.toml puts off {what}" for what, is_off in off.items() if is_off]


def walls(off: list[str], code: Iterable[str], pause_s: float | None, real: bool) -> Check:
    """Check that `trust.toml` names writers, approvers and operators, that a log of real cases is signed on a beat, and that the database
    runs the triggers and functions of the migrations, and no other.

    off: see `missing`. code: what no migration made so. pause_s: between the two nearest checkpoints of the last day; None: there are
    not two. real: the database holds real cases.
    """
    do = "name them (docs/operators.md, Whom to believe); REFERRAL_LOG_BEAT_S=300 for audit, and a day later the warning ends"
    foreign = [f"the database runs what is not ours: {what}" for what in code]
    if foreign:
        do = f"find out who changed it, and keep a copy for the Ombudsperson; take out what is not ours, restore what is missing; {do}"
    warn = [] if real else off
    if real and pause_s is not None and pause_s < LEAST_BEAT_S:
        warn = [f"the log is signed as soon as anything is logged ({pause_s:.1f} s apart): whoever polls it sees a child come"]
    good = "records need their writer, erasures two persons; the log has its beat; the database runs only what is ours"
    return check("walls", [*foreign, *(off if real else [])], good, do, warn)


def backup(found: Backups, real: bool) -> Check:
    """Check that the last backup is young, and that nobody who receives the write-ahead log lacks much of it. real: for real cases."""
    age, waiting = found.age_s, found.waiting
    old, behind = rules()["BackupOld"].limit("referral_backup_age_seconds"), rules()["StandbyBehind"].limit("referral_wal_waiting_bytes")
    bad = [f"the last good backup is {age / 3600:.0f} hours old"] if age is not None and age > old else []
    bad += [f"{slot} lacks {lacks / MB:.0f} MB of the log" for slot, lacks in waiting.items() if behind < lacks < math.inf]
    bad += [f"{slot} lacks a part of the log that the server keeps no longer" for slot, lacks in waiting.items() if lacks == math.inf]
    warn = ["no backup was ever taken"] if real and age is None else []
    if ARCHIVE not in waiting and real:
        warn.append("nothing receives the log: what comes after a backup is lost with the disk")
    good = "none, for exercises" if age is None else f"{age / 3600:.0f} hours old; {len(waiting)} receive the log"
    return check("backup", bad, good, "docs/operators.md, Backup and restore; a standby that is away: start it", warn)


def _ends(found: Settings) -> Mapping[str, datetime]:
    """Return what ends of this shell's identity → when."""
    if found.tls is None:
        return {}
    try:
        own, lists = identity.read(found.tls).leaf, identity.lists_end(found.tls)
    except (Rejected, Malformed, Unproven):  # the broker refuses such an identity in words of its own
        return {}
    return {f"the certificate {own.name}": own.not_after, "a list of revoked certificates": lists}


def certificates(ends: Mapping[str, datetime], now: int) -> Check:
    """Check that this shell's certificate and its lists of revoked ones are in force; warn a month before one ends. now: µs UTC."""
    at = {what: (when - datetime.fromtimestamp(0, UTC)) // US for what, when in ends.items()}
    soon = now + min(periods.LEAF_WARNING, periods.LIST_WARNING) // US
    bad = [f"{what} has ended on {moment(end)}" for what, end in at.items() if end <= now]
    warn = [f"{what} ends on {moment(end)}" for what, end in at.items() if now < end < soon]
    do = "`referral ca list` names all that ends; `referral ca crl`, `ca renew` or `ca sign`, then `referral ca install` here"
    return check("certificates", bad, f"{len(at)} that end, none within a month", do, warn)
