"""`referral ca init|sign|revoke|replace|crl|list`: the commands of the machine that holds the authority."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from cryptography.x509 import ReasonFlags

from referral.ca import authority, bundle, identity, leaf, names, register
from referral.ca.names import Plane
from referral.ca.register import Row
from referral.cli import console
from referral.cli.ca.group import FOLDER, OUT, ROOT_KEY, incoming, now, outgoing, recorded
from referral.domain.local_time import moment
from referral.errors import Rejected
from referral.wire.signed.operator_word import ENDED


class Reason(StrEnum):
    """A reason of a revocation. Everybody may read it in the list."""

    STOLEN = "stolen"
    REPLACED = "replaced"
    RETIRED = "retired"


REASONS = {
    Reason.STOLEN: ReasonFlags.key_compromise,
    Reason.REPLACED: ReasonFlags.superseded,
    Reason.RETIRED: ReasonFlags.cessation_of_operation,
}


def init_command(
    ca: FOLDER,
    root_key: ROOT_KEY = None,
    lists: Annotated[
        str,
        typer.Option(help="URL of this folder, where the broker finds lists of revoked certificates: file:///srv/authority, or http."),
    ] = "",
    word: console.Word = "",
    as_json: console.Json = False,
) -> int:
    """Make a root, and an issuing authority each for services, agencies and operators.

    Bring the root's key to a medium that lies in a safe, at once by --root-key or afterwards: it is needed once a year, and to replace an
    issuing authority. Write its fingerprint down; agencies compare it by telephone.

    The broker looks for a list where a certificate says it is (--lists): bring the authority's folder, without its keys, to that place
    whenever `referral ca crl` has signed a list. Without --lists the broker refuses every certificate.

    Exit 0 made, 1 there is one already, 2 a folder cannot be written.

    Example: referral ca init /srv/authority --root-key /media/safe/root.pem --lists file:///srv/authority
    """
    at = authority.place(ca, root_key)
    with recorded("ca init", word=word):
        root = identity.fingerprint(authority.init(at, now(), lists.rstrip("/")))
    return console.answer(
        as_json,
        {"authority": str(ca), "root": root, "root_key": str(at.root_key)},
        f"root {root}\nits key: {at.root_key}; keep it in a safe",
    )


def sign_command(
    ca: FOLDER,
    name: Annotated[str, typer.Argument(help="Whose request it is: service/NAME, agency/NAME or operator/NAME.")],
    request: Annotated[Path, typer.Argument(help="The request; - for standard input.")] = Path("-"),
    out: OUT = None,
    root_key: ROOT_KEY = None,
    word: console.Word = "",
) -> int:
    """Sign a request for the holder that you name, and print what to send back: certificate, authorities, lists.

    Make sure by another way that the request is that holder's: whoever owns its key is the holder from now on. Nothing printed is secret.

    Exit 0 signed, 1 the request is malformed or names somebody else, 2 a file cannot be read or written.

    Example: referral ca sign /srv/authority agency/school-drita request.pem --out answer.pem
    """
    at, wanted, holder = authority.place(ca, root_key), incoming(request), names.parse(name)
    with recorded("ca sign", f"certificate:{holder}", word=word):
        signed = authority.sign(at, wanted, holder, now())
    outgoing(signed, out)  # afterwards: it is signed, whatever becomes of the file
    return 0


def revoke_command(
    ca: FOLDER,
    what: Annotated[str, typer.Argument(help="service/NAME, agency/NAME, operator/NAME (all of its certificates), or a serial number.")],
    reason: Annotated[Reason, typer.Option(help="Everybody may read it.")] = Reason.STOLEN,
    root_key: ROOT_KEY = None,
    as_json: console.Json = False,
) -> int:
    """Revoke a certificate, or all certificates of a holder.

    A program refuses it as soon as the new list is in its folder: bring it there now, by `referral ca crl` and `referral ca install`, or by
    `referral ca renew` on the same machine.

    Exit 0 revoked, 1 no such certificate is in force, 2 a file cannot be written.

    Example: referral ca revoke /srv/authority agency/school-drita --reason stolen
    """
    at = authority.place(ca, root_key)
    with recorded("ca revoke", f"certificate:{what}"):
        done = authority.revoke(at, what, REASONS[reason], now())
    if as_json:
        return console.document([{"name": str(one.name), "serial": one.number} for one in done])
    for one in done:
        console.say(f"revoked: {one.name} number {one.number}; now install the list everywhere")
    return 0


def replace_command(
    ca: FOLDER,
    what: Annotated[str, typer.Argument(help="services, agencies or operators; with --end an authority, for instance services-1.")],
    end: Annotated[bool, typer.Option("--end", help="Take the older authority out of trust, and destroy its key.")] = False,
    root_key: ROOT_KEY = None,
    word: console.Word = "",
) -> int:
    """Make another issuing authority for a plane; with --end, take the older one out of trust.

    Between the two, both are trusted: renew everything that the older one signed (`referral ca list` shows it). If its key is stolen, end
    it at once. Install the new authorities and lists everywhere after each of the two steps.

    Exit 0 done, 1 refused, 2 the root's key cannot be read.

    Example: referral ca replace /srv/authority services --root-key /media/safe/root.pem
    """
    at = authority.place(ca, root_key)
    if end:
        with recorded("ca replace", f"{ENDED}{what}"):
            authority.end(at, what, now())
        console.say(f"{what} has ended; now install the lists everywhere")
        return 0
    try:
        plane = Plane(what)
    except ValueError:
        raise Rejected("plane", "WHAT", f"one of {', '.join(Plane)}; an authority's name only with --end") from None
    with recorded("ca replace", f"authority:{plane}", word=word):
        made = authority.replace(at, plane, now())
    console.say(f"{leaf.common(made.subject)} signs from now on; install it everywhere")
    return 0


def crl_command(ca: FOLDER, out: OUT = None, root_key: ROOT_KEY = None) -> int:
    """Sign every list of revoked certificates anew, and print what to install everywhere: authorities and lists.

    The root's list is signed anew if its key is there: once a year, with --root-key. `referral ca list` warns a month before a list ends.

    Exit 0 printed, 1 there is no authority, 2 a file cannot be read or written.

    Example: referral ca crl /srv/authority --out lists.pem
    """
    at = authority.place(ca, root_key)
    with recorded("ca crl"):
        authority.relist(at, now())
    outgoing(bundle.write(authority.trusted(at)), out)
    return 0


def list_command(
    ca: FOLDER,
    every: Annotated[bool, typer.Option("--all", help="Older certificates of a holder too, and those of retired holders.")] = False,
    as_json: console.Json = False,
) -> int:
    """List authorities, lists and certificates: when each ends, and what to do about it.

    It warns when a list or an agency's certificate ends within 30 days, and when a service's has less than two days left.

    Exit 0 nothing is to be done, 1 something ends soon or has ended, 2 the folder cannot be read.

    Example: referral ca list /srv/authority
    """
    at_time = now()
    found = register.rows(authority.place(ca), at_time, every=every)
    if as_json:
        fields = ("kind", "name", "number", "ends", "state", "do")
        console.document([{field: str(getattr(row, field)) for field in fields} for row in found])
    else:
        columns = ("kind", "name", "number", "left", "ends", "state", "do")
        console.table(columns, [_shown(row, at_time) for row in found])
    return 1 if any(row.state in ("ends soon", "ended") for row in found) else 0


def _shown(row: Row, at_time: datetime) -> tuple[str, ...]:
    ends, left = moment(row.ends.isoformat()), register.left(row.ends, at_time)
    return row.kind, row.name, row.number[: authority.DIGITS], left, ends, row.state, row.do
