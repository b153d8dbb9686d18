"""The checks of `referral doctor` that may warn: the walls, what ends soon, and what was wrong long ago. Pure."""

from __future__ import annotations

from referral.cli.admin import doctor_walls
from referral.cli.admin.doctor_probe import Vitals
from referral.cli.admin.doctor_result import Check, warned


def walls(vitals: Vitals) -> Check:
    """Check that the witness policy names writers and approvers, and that a log of real cases is signed on a beat."""
    named, real = vitals.walls.unnamed, vitals.walls.real
    missing = [f"the witness policy names {what}" for what in named]
    do = "name them (docs/operators.md, signed records); REFERRAL_LOG_BEAT_S=300 for audit, and a day later the warning ends"
    warn = [*([] if real else missing), *doctor_walls.beats(vitals.walls)]
    return warned("walls", missing if real else [], warn, "records need their writer, erasures two persons; the log has its beat", do)


def certificates(vitals: Vitals) -> Check:
    """Check that this shell's certificate and its lists of revoked ones are in force; warn a month before one ends."""
    bad, warn = doctor_walls.ending(vitals.walls, vitals.now - vitals.ahead)
    do = "`referral ca list` names all that ends; `referral ca crl`, `ca renew` or `ca sign`, then `referral ca install` here"
    return warned("certificates", bad, warn, f"{len(vitals.walls.ends)} that end, none within a month", do)


def older(vitals: Vitals) -> Check:
    """Warn of what was wrong with records of more than a week ago: they stay on their topics, and somebody has seen them since."""
    warn = [f"{count} {what}" for what, count in vitals.older.items() if count]
    do = "nothing, if you know of them; `referral audit verify` names each, for ever"
    return warned("older", [], warn, "nothing was wrong with records of more than a week ago", do)
