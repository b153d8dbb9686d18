"""`referral ca request|install|renew`: the commands of the machine that holds an identity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from referral.ca import authority, identity, names, renewal
from referral.ca.leaf import Leaf
from referral.cli import console
from referral.cli.ca.group import FOLDER, ROOT_KEY, incoming, now, outgoing, recorded
from referral.domain.local_time import moment
from referral.errors import Malformed, Rejected

Place = Annotated[Path, typer.Argument(metavar="PLACE", help="Folder of the identity; made if missing, for its owner alone.")]


def request_command(
    place: Place,
    name: Annotated[str, typer.Argument(help="service/NAME, agency/NAME or operator/NAME; by default as the identity in PLACE.")] = "",
    host: Annotated[list[str] | None, typer.Option(help="Host name or address at which the service is reached; repeat it.")] = None,
) -> int:
    """Make a new key in a folder, and print the request for its certificate.

    The key stays in the folder. Send the printed request to whoever keeps the authority; it is no secret, but let the receiver make sure
    that it is yours. The identity in use stays in use until `referral ca install`.

    Exit 0 printed, 1 a name or host is malformed, 2 the folder cannot be written.

    Example: referral ca request /etc/referral/tls service/intake --host intake.example.org
    """
    outgoing(identity.request(place, names.parse(name) if name else None, tuple(host or ())), None)
    return 0


def install_command(
    place: Place,
    file: Annotated[Path, typer.Argument(help="The file that the authority handed out; - for standard input.")] = Path("-"),
    as_json: console.Json = False,
) -> int:
    """Put what the authority handed out into a folder: a certificate, or only authorities and lists of revoked certificates.

    Programs that use the folder take it up without a restart. A folder believes the first root that it gets: compare its fingerprint with
    whoever keeps the authority, by telephone. Another root is refused from then on, and so is a list older than the one in the folder.

    Exit 0 installed, 1 refused and nothing changed, 2 a file cannot be read or written.

    Example: referral ca install /etc/referral/tls answer.pem
    """
    first = not (place / identity.AUTHORITY).exists()
    made = identity.install(place, incoming(file), now())
    root, ends = identity.root_fingerprint(place), identity.lists_end(place)
    if as_json:
        document = {"root": root, "lists_end": ends.isoformat(), "name": str(made.name) if made else None}
        return console.document(document | ({"serial": made.number, "ends": made.not_after.isoformat()} if made else {}))
    text = _said(made) if made else f"lists good until {moment(ends.isoformat())}"
    console.say(f"{place}: {text}")
    if first:
        console.say(f"root {root}: compare it by telephone")
    return 0


def renew_command(
    ca: FOLDER,
    places: Annotated[list[Path], typer.Argument(metavar="PLACE…", help="Folders of identities on this machine.")],
    always: Annotated[bool, typer.Option("--always", help="Also before half of the period is over.")] = False,
    root_key: ROOT_KEY = None,
) -> int:
    """Renew the identities in folders of this machine, if half of their period is over, and bring them the newest lists.

    Run it every hour where services and their authority share a machine. Holder and hosts stay as they are. A revoked identity is refused.

    Exit 0 all are good, 1 one could not be renewed (the others were), 2 a folder cannot be written.

    Example: referral ca renew /srv/authority /etc/referral/tls/intake /etc/referral/tls/audit
    """
    failed, at = 0, authority.place(ca, root_key)
    with recorded("ca renew"):
        for place in places:
            try:
                made = renewal.renew(at, place, now(), always=always)
            except (Rejected, Malformed) as error:
                failed += 1
                sys.stderr.write(f"referral: {error}\n")
            else:
                console.say(f"{place}: {_said(made) if made else 'not due'}")
    return 1 if failed else 0


def _said(made: Leaf) -> str:
    return f"{made.name} good until {moment(made.not_after.isoformat())}, number {made.number}"
