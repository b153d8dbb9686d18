"""The checks of `referral doctor` that may warn: the walls, the backups, what ends soon, and what was wrong long ago. Pure."""

from __future__ import annotations

import math

from referral.cli.admin import doctor_walls
from referral.cli.admin.doctor_probe import Vitals
from referral.cli.admin.doctor_result import Check, warned
from referral.runtime.postgres.backups import ARCHIVE, BEHIND, OLD_S

MB = 1_000_000


def walls(vitals: Vitals) -> Check:
    """Check that `trust.toml` names writers, approvers and operators, that a log of real cases is signed on a beat, and that the database
    runs the triggers and functions of the migrations, and no other."""
    off, real = vitals.walls.off, vitals.walls.real
    missing = [f"trust.toml puts off {what}" for what in off]
    do = "name them (docs/operators.md, Whom to believe); REFERRAL_LOG_BEAT_S=300 for audit, and a day later the warning ends"
    warn = [*([] if real else missing), *doctor_walls.beats(vitals.walls)]
    foreign = [f"the database runs what is not ours: {what}" for what in vitals.walls.code]
    if foreign:
        do = f"find out who changed it, and keep a copy for the Ombudsperson; take out what is not ours, restore what is missing; {do}"
    good = "records need their writer, erasures two persons; the log has its beat; the database runs only what is ours"
    return warned("walls", [*foreign, *(missing if real else [])], warn, good, do)


def backup(vitals: Vitals) -> Check:
    """Check that the last backup is young, and that nobody who receives the write-ahead log lacks much of it."""
    age, waiting = vitals.backups.age_s, vitals.backups.waiting
    bad = [f"the last good backup is {age / 3600:.0f} hours old"] if age is not None and age > OLD_S else []
    bad += [f"{slot} lacks {lacks / MB:.0f} MB of the log" for slot, lacks in waiting.items() if BEHIND < lacks < math.inf]
    bad += [f"{slot} lacks a part of the log that the server keeps no longer" for slot, lacks in waiting.items() if lacks == math.inf]
    warn = [] if vitals.exercises or age is not None else ["no backup was ever taken"]
    if ARCHIVE not in waiting and not vitals.exercises:
        warn.append("nothing receives the log: what comes after a backup is lost with the disk")
    good = "none, for exercises" if age is None else f"{age / 3600:.0f} hours old; {len(waiting)} receive the log"
    return warned("backup", bad, warn, good, "docs/operators.md, Backup and restore; a standby that is away: start it")


def certificates(vitals: Vitals) -> Check:
    """Check that this shell's certificate and its lists of revoked ones are in force; warn a month before one ends."""
    bad, warn = doctor_walls.ending(vitals.walls, vitals.now - vitals.ahead)
    do = "`referral ca list` names all that ends; `referral ca crl`, `ca renew` or `ca sign`, then `referral ca install` here"
    return warned("certificates", bad, warn, f"{len(vitals.walls.ends)} that end, none within a month", do)


def older(vitals: Vitals) -> Check:
    """Warn of what was wrong with records of more than a week ago: they stay on their topics, and somebody has seen them since.

    Without --all nobody looks at old records of the case topics.
    """
    warn = [f"{count} {what}" for what, count in vitals.older.items() if count]
    do = "nothing, if you know of them; `referral audit verify` names each, for ever"
    good = "nothing was wrong with records of more than a week ago" + ("" if vitals.whole else "; `--all` looks at the case topics too")
    return warned("older", [], warn, good, do)
