"""`referral init`: make the folder of a new line, which servers, services and the administrator take their files from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from referral.cli import console
from referral.cli.ca.group import now
from referral.errors import Rejected
from referral.installation import folder, layout
from referral.installation.layout import Line

Place = Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or an empty folder, as /etc/referral.")]
Host = Annotated[str, typer.Option(help="Host of everything that no other option places.")]
Servers = Annotated[list[str] | None, typer.Option(metavar="HOST:PORT", help="Repeat it for each.")]
Hosts = Annotated[
    list[str] | None, typer.Option("--server", metavar="PROGRAM=HOST", help="A further host for a program's certificate; repeat it.")
]
People = Annotated[Path | None, typer.Option(help="Lines policy_keepers.…, approvers.…, operators.…, as those people sent them.")]
Exercise = Annotated[bool, typer.Option("--exercise", help="Make up the people, and their keys, here: for exercises alone.")]
Inner = Annotated[str, typer.Option(help="Address at which health and metrics listen; 0.0.0.0 in a container.")]
ByName = Annotated[bool, typer.Option("--by-name", help="Programs call one another by their names (audit:8444), as in containers.")]


def init_command(
    place: Place,
    host: Host = "localhost",
    brokers: Servers = None,
    database: Servers = None,
    inbox: Annotated[str, typer.Option(help="URL at which staff and agencies reach intake.")] = "",
    audit: Annotated[str, typer.Option(help="URL at which auditors reach the log.")] = "",
    notifier: Annotated[str, typer.Option(help="URL at which answers reach the notifier.")] = "",
    oversight: Annotated[str, typer.Option(help="URL at which the Committee reads the figures.")] = "",
    name: Annotated[str, typer.Option(help="The log's permanent name, its origin; by default audit's host and /referral.")] = "",
    at: Annotated[Path | None, typer.Option(help="Folder under which the programs will see FOLDER, if it is another.")] = None,
    hosts: Hosts = None,
    smtp: Annotated[str, typer.Option(help="Mail relay, HOST:PORT.")] = "localhost:25",
    smtp_from: Annotated[str, typer.Option(help="Sender's address; by default referral@HOST.")] = "",
    inner: Inner = "127.0.0.1",
    lists: Annotated[str, typer.Option(help="URL at which brokers find the lists of revoked certificates; by default lists/.")] = "",
    by_name: ByName = False,
    people: People = None,
    exercise: Exercise = False,
    as_json: console.Json = False,
) -> int:
    """Make all that a line needs before its servers run: authority, certificates, keys, passwords, and the settings of each program.

    Give --people FILE with the lines of those who sign policies, approve erasures and operate: their keys are on machines of their own. Or
    give --exercise: then all keys lie in one folder, and one person can do everything. Nothing is overwritten, and no server is asked.

    Exit 0 made, 1 refused, and nothing is made; 2 FOLDER cannot be written.

    Example: referral init /etc/referral --host line.example --people people.txt
    """
    if exercise == (people is not None):
        raise Rejected("people", "--people", "give either --people FILE, or --exercise for made-up people: never both, and never neither")
    urls = {
        service: given or f"https://{host}:{layout.PORTS[service]}"
        for service, given in (("intake", inbox), ("audit", audit), ("notifier", notifier), ("oversight", oversight))
    }
    root = at or place.absolute()
    line = Line(
        at=root,
        brokers=_servers(brokers, host, layout.BROKER_PORT, "--brokers"),
        databases=_servers(database, host, layout.DATABASE_PORT, "--database"),
        inbox=urls["intake"],
        audit=urls["audit"],
        notifier=urls["notifier"],
        oversight=urls["oversight"],
        name=name or f"{layout.host(urls['audit'])}/{layout.DATABASE}",
        smtp=smtp,
        smtp_from=smtp_from or f"referral@{host}",
        inner=inner,
        lists=lists or f"file://{root}/lists",
        by_name=by_name,
        hosts=_more(hosts or []),
        exercise=exercise,
    )
    made = folder.make(place, line, people.read_bytes() if people is not None else b"", now())
    table, commands = layout.inventory(line), layout.next_commands(line)
    if as_json:
        document = {"folder": str(place), "root": made.root, "log": made.log, "files": table, "next": commands}
        return console.document(document)
    console.table(("where", "what", "for whom"), table)
    for text in (f"root {made.root}: write it down, agencies compare it by telephone", f"log {made.log}: for witnesses and auditors"):
        console.say(text)
    console.say(f"take away from this machine: {', '.join(layout.taken_away(line))}")
    for text in ("now:", *commands):
        console.say(text)
    return 0


def _servers(given: list[str] | None, host: str, port: int, option: str) -> tuple[str, ...]:
    found = tuple(part for text in given or (f"{host}:{port}",) for part in text.split(","))
    for one in found:
        name, _, number = one.rpartition(":")
        if not name or not number.isdigit():
            raise Rejected("malformed", option, "write HOST:PORT")
    return found


def _more(given: list[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        program, separator, host = text.partition("=")
        if not separator or not program:
            raise Rejected("malformed", "--server", "write PROGRAM=HOST, as intake=inbox.example")
        found[program] = (*found.get(program, ()), host)
    return found
