"""The pages of a local stack, one for each role: the address, whom one signs in as, and what signs in. `demo` and `tour` print them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from referral.cli.stack.cast import AUDITOR, COMMITTEE, Cast
from referral.local import ports
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
