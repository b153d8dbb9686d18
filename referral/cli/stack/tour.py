"""`referral tour`: walk a newcomer through a running local stack, in ten stops of one screen each.

Each stop's address is fetched, so that the walk says which page answers. Nothing is changed: the newcomer does that.
"""

from __future__ import annotations

import ssl
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer
from msgspec import Struct

from referral.ca import identity
from referral.cli import console
from referral.cli.stack import cast
from referral.cli.stack.cast import AUDITOR, COMMITTEE, Cast
from referral.local import ports
from referral.local.config import KEEPER
from referral.local.data_folder import default_data
from referral.local.stack import Stack

NOBODY = "nobody: the page is for everybody"
SERVERS = ("intake", "audit", "oversight")


class Role(Struct, frozen=True, kw_only=True):
    """A role's page. who: account, or the office of a token. secret: its password or token; empty where nobody signs in."""

    role: str
    address: str
    who: str = NOBODY
    secret: str = ""


def of_stack(stack: Stack) -> dict[str, str]:
    """Return service → base URL of what this process runs; without a service that it does not run."""
    found = {service: stack.url(service) for service in SERVERS if stack.of(service)}
    return found | ({"handset": stack.addresses.handset} if stack.addresses.handset else {})


def of_folder(data: Path) -> dict[str, str]:
    """Return service → base URL as the last start of a stack in this folder wrote it down; empty: there was none."""
    known = ports.before(data / "ports.json")
    names = {"handset": "handset", **{service: f"{service}-1" for service in SERVERS}}
    return {
        service: f"http{'' if service == 'handset' else 's'}://127.0.0.1:{known[name]}" for service, name in names.items() if name in known
    }


def roles(at: Mapping[str, str], people: Cast, municipality: str) -> tuple[Role, ...]:
    """Return the page of each role in a municipality. at: service → base URL. A role whose service is not there is left out."""

    def staff(role: str, path: str, agency: str, *, head: bool = False) -> Role:
        members = people.of(agency)
        member = members[-1] if head else members[0]
        return Role(role=role, address=at["intake"] + path, who=member.login, secret=people.password)

    found = [
        Role(role="teacher", address=f"{at['intake']}/refer"),
        Role(role="child", address=f"{at['intake']}/help"),
        staff("person on duty", "/inbox", f"police-{municipality}"),
        staff("head", "/agency", f"police-{municipality}", head=True),
        staff("coordinator", "/overview", f"coordinator-{municipality}"),
        staff("desk", "/unverified", f"desk-{municipality}"),
    ]
    tokens = (("auditor", "audit", AUDITOR), ("oversight", "oversight", COMMITTEE))
    found += [
        Role(role=role, address=f"{at[service]}/{role}", who=f"the token of {office}", secret=people.readers.get(office, ""))
        for role, service, office in tokens
        if service in at
    ]
    return tuple(found)


MUNICIPALITY = "prizren"
"""Municipality of the walk: its agencies are those of docs/agencies.md, and have made-up telephones."""
LIMIT_S = 10.0
"""Seconds that a page may take (ours): a starved machine needs some to render the first one."""
BACK_S = 30.0
"""Seconds (DESIGN §8) after which a process that died is back: that long a page is asked for again while it does not answer."""
AGAIN_S = 0.5
"""Seconds between two such questions (ours)."""
AWAY = (0, httpx.codes.SERVICE_UNAVAILABLE)
"""No answer, and the one of a service whose database does not answer: both pass by themselves."""
WIDTH, INDENT = 96, 12
FILE = Path(__file__).with_name("tour.yaml")


class Stop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stop. role: one of `roles`. path: of its page, where it is not the role's own.

    look, do, proves: what to look at, what to do there, and what that proves, with the test or decision that holds it.
    """

    title: str
    role: str
    look: str
    do: str
    proves: str
    path: str = ""


class Seen(Struct, frozen=True, kw_only=True):
    """A stop as it is printed. problem: why its address does not answer, and what to do; empty: it answers."""

    number: int
    title: str
    address: str
    who: str
    secret: str
    look: str
    do: str
    proves: str
    problem: str = ""


Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the running stack; by default that of `referral up`.")]


def tour(
    data: Data = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print every stop at once, without a pause.")] = False,
    as_json: console.Json = False,
) -> int:
    """Walk through a running local stack in ten stops, one for each role.

    Each stop says what to open, whom to sign in as, what to look at, what to do there, and what it proves. Keep `referral up` running in
    another shell. Enter leads to the next stop.

    Exit 0 every stop answers, 1 a stop does not, 2 no stack runs here.

    Example: referral tour
    """
    folder = (data or default_data()).expanduser().absolute()
    try:
        seen = walk(folder)
    except (OSError, httpx.HTTPError, msgspec.DecodeError):
        hint = "start one in another shell with `referral up`, or name its folder: --data"
        console.errors.print(f"referral: no stack runs in {folder}: {hint}", soft_wrap=True)
        return 2
    if as_json:
        console.document([msgspec.to_builtins(one) for one in seen])
    else:
        for one in seen:
            _print(one, len(seen))
            if not no_wait and sys.stdin.isatty() and one.number < len(seen):
                console.console.input("[dim]Enter: next stop, Ctrl-C: leave [/]")
    return 1 if any(one.problem for one in seen) else 0


def stops() -> tuple[Stop, ...]:
    """Return the stops, in order."""
    return msgspec.yaml.decode(FILE.read_bytes(), type=tuple[Stop, ...])


def walk(folder: Path) -> list[Seen]:
    """Return every stop, each address fetched. OSError, HTTPError: no stack runs in this folder."""
    at = of_folder(folder)
    if "intake" not in at:
        raise FileNotFoundError(folder)
    known = {one.role: one for one in roles(at, cast.load(folder), MUNICIPALITY)}
    if "handset" in at:
        known["telephone"] = Role(role="telephone", address=at["handset"])
    believed = ssl.create_default_context(cafile=folder / "identities" / KEEPER / identity.AUTHORITY)
    with httpx.Client(timeout=LIMIT_S, follow_redirects=True, trust_env=False, verify=believed) as browser:
        browser.get(f"{at['intake']}/signin")
        walking = _Walk(browser, folder)
        return [_seen(walking, number, stop, known, at) for number, stop in enumerate(stops(), 1)]


def _seen(walking: _Walk, number: int, stop: Stop, known: Mapping[str, Role], at: Mapping[str, str]) -> Seen:
    role = known.get(stop.role, Role(role=stop.role, address=""))
    address = f"{at['intake']}{stop.path}" if stop.path else role.address
    problem = walking.problem(address) if address else "this stack was started without it: `referral up` starts everything"
    return Seen(
        number=number,
        title=stop.title,
        address=address,
        who=role.who,
        secret=role.secret,
        look=stop.look,
        do=stop.do.replace("DATA", str(walking.folder)),
        proves=stop.proves,
        problem=problem,
    )


class _Walk:
    """The requests of one walk. A server that was waited for in vain is not waited for at its next page."""

    def __init__(self, browser: httpx.Client, folder: Path) -> None:
        self.folder, self._browser, self._gone = folder, browser, set[bytes]()

    def problem(self, address: str) -> str:
        """Return why an address does not answer with a page, and what to do; empty: it does."""
        status, server = self._status(address), httpx.URL(address).netloc
        if status in AWAY and server not in self._gone:
            status = self._again(address)
        if status in AWAY:
            self._gone.add(server)
        if status == httpx.codes.OK:
            return ""
        return f"{f'it answers {status}' if status else 'it does not answer'}: look into {self.folder / 'log'}, or restart `referral up`"

    def _again(self, address: str) -> int:
        console.errors.print(f"{address} does not answer; it is asked again for {BACK_S:g} s", soft_wrap=True)
        until, status = time.monotonic() + BACK_S, 0
        while status in AWAY and time.monotonic() < until:
            time.sleep(AGAIN_S)
            status = self._status(address)
        return status

    def _status(self, address: str) -> int:
        """Return the status of a page; 0: it does not answer."""
        try:
            return self._browser.get(address).status_code
        except httpx.HTTPError:
            return 0


def _print(one: Seen, of: int) -> None:
    say = console.console.print
    say(f"\n[bold]{one.number} of {of} · {one.title}[/]", soft_wrap=True)
    _line("open", f"{one.address}   ({one.problem or 'it answers'})")
    if one.who:
        secret = "" if one.who == NOBODY else f"   {'token' if one.who.startswith('the token') else 'password'} {one.secret}"
        _line("sign in", f"{one.who}{secret}")
    for name, text in (("look at", one.look), ("do", one.do), ("proves", one.proves)):
        for n, line in enumerate(textwrap.wrap(" ".join(text.split()), WIDTH - INDENT)):
            _line("" if n else name, line)


def _line(name: str, text: str) -> None:
    console.say(f"  {name:<{INDENT - 2}}{text}")
