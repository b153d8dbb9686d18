"""Attacks upon the public page: floods of reports, forged addresses, guessed codes, and what a sender hopes to learn.

`attacks` need no server. `served` floods a real door on a real database: in `make attacks` only. The same upon the whole line, with ten
thousand reports, is `tests/integration/line/test_public_flood.py`; what was typed is looked for in `test_public_door.py`.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from base64 import b32encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from referral.local import keyfiles
from referral.runtime.bootstrap import prepare_database
from referral.runtime.keys.case_keys import Keys
from referral.runtime.settings import Settings
from services.intake.public import limits, receipt
from services.intake.public.limits import Limits, Verdict
from tests.attacks.ground import Attack, Noticed
from tests.harness import servers
from tests.harness.shipped import compiled
from tests.harness.web import flood, public_page
from tests.harness.web.flood import Report
from tests.harness.web.world import World

STRANGER, PERPETRATOR, NETWORKS = "a stranger", "whoever hurts the child, with eight networks", "a stranger with 10,000 networks"
COUNT, SERVED = 10_000, 1_000
GUESSES = 2_000
ALERTS = 60
"""Notes to one receipt, sixteen at once: each is a new version of the story, of which everybody who reads it is told."""


def attacks() -> list[Attack]:
    return [
        Attack(what=f"{COUNT:,} reports, from one network", power=STRANGER, must=("page", "teacher"), run=lambda: _flooded(1)),
        Attack(what=f"{COUNT:,} reports for one desk, so that it hears nobody", power=PERPETRATOR, must=("page", "teacher"), run=_shut),
        Attack(
            what=f"{COUNT:,} reports, each from another network",
            power=NETWORKS,
            must=("page", "teacher elsewhere", "teacher in Prizren"),
            run=_everywhere,
        ),
        Attack(what="codes of receipts, guessed", power=STRANGER, must=("intake",), run=_guessed),
    ]


def served() -> list[Attack]:
    """On a real database: half a minute."""
    return [
        Attack(what=f"{SERVED:,} reports through the door, of four kinds", power=STRANGER, must=("page", "teacher", "code"), run=_served),
        Attack(what=f"{ALERTS} alerts, by notes to one receipt", power=STRANGER, must=("intake", "story"), run=_noted),
    ]


def _taken(made: Limits, reports: list[tuple[str, str]]) -> int:
    taken = 0
    for address, town in reports:
        if made.verdict(address, town) is not Verdict.REFUSED:
            made.took(address, town)
            taken += 1
    return taken


def _flooded(networks: int) -> Noticed:
    made = Limits(lambda: 0.0, lambda: 0.0)
    taken = _taken(made, [(f"203.0.{n % networks}.{n % 250}", f"town-{n % 38}") for n in range(COUNT)])
    free = _taken(made, [(f"198.51.100.{n}", f"town-{n}") for n in range(1)])
    return {
        "page": f"takes {taken}, and shows the others whom to call" if taken == limits.SHORT_TIMES * limits.FROM_ONE_PLACE else "",
        "teacher": "is heard" if free else "",
    }


def _shut() -> Noticed:
    made = Limits(lambda: 0.0, lambda: 0.0)
    taken = _taken(made, [(f"203.0.{n % 8}.7", "prizren") for n in range(COUNT)])
    return {
        "page": f"takes {taken}, and shows the others whom to call" if taken <= 8 * limits.SHORT_TIMES * limits.IN_A_CROWD else "",
        "teacher": "is heard in Prizren too" if _taken(made, [("198.51.100.1", "prizren")]) else "",
    }


def _everywhere() -> Noticed:
    """The honest end: whoever holds thousands of networks is heard once from each in a day, as a teacher is."""
    made = Limits(lambda: 0.0, lambda: 0.0)
    taken = _taken(made, [(f"10.{n // 250}.{n % 250}.1", "prizren") for n in range(COUNT)])
    return {
        "page": "hears each network, and none of them twice" if taken == COUNT and not _taken(made, [("10.0.0.1", "prizren")] * 9) else "",
        "teacher elsewhere": "is heard" if _taken(made, [("198.51.100.1", "peje")]) else "",
        "teacher in Prizren": "is heard" if _taken(made, [("198.51.101.2", "prizren")]) else "",
    }


def _guessed() -> Noticed:
    keys = Keys(bytes(32))
    right = sum(receipt.ours(keys, b32encode(secrets.token_bytes(10)).decode()) for _ in range(GUESSES))
    return {"intake": f"of {GUESSES:,} guesses none reaches the database" if right <= 1 else ""}


def _served() -> Noticed:
    with _door() as world, flood.visitor(world.url) as attacker:
        towns = world.lists.codes["municipality"]
        found = flood.send(attacker, flood.an_hour(towns, SERVED))
        heard = attacker.report(Report("198.51.100.1"))
        wrong = flood.guess(attacker, 100)
        look = attacker.look(flood.code_of(heard))
    return {
        "page": f"takes {found[200]}, and shows {found[429]} whom to call" if 0 < found[200] < limits.IN_ALL else "",
        "teacher": "is heard in the midst" if heard.status_code == 200 else "",
        "code": "is answered among a hundred wrong ones" if look.status_code == 200 and wrong == {404: 100} else "",
    }


def _noted() -> Noticed:
    """A sender writes notes to two reports at once; the police have meanwhile written the story of the second anew."""
    told: list[Counter[str]] = []
    with _door() as world, flood.visitor(world.url) as attacker:
        for number in range(2):
            code = flood.code_of(attacker.report(Report(f"203.0.{number}.7")))
            if number:
                public_page.rewritten(world, public_page.case_of(world), "police-prizren")
            told.append(flood.note(attacker, code, ALERTS))
        alerts = len(public_page.noted(world))
    kept = sum(count for page, count in told[0].items() if "Your note was added" in page)
    return {
        "intake": f"takes {kept} notes of {ALERTS}, and alerts as often" if kept == receipt.NOTES == alerts / 2 else "",
        "story": "reads the same, whoever has written to it" if told[0] == told[1] and len(told[0]) == 2 else "",
    }


@contextmanager
def _door() -> Iterator[World]:
    """An inbox behind a proxy, on a database of its own."""
    made = servers.Servers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            master, _ = keyfiles.ensure(Path(folder))
            url = made.address("postgres")
            own = {"database": url, "database_passwords": servers.passwords(url), "master_key_file": master}
            asyncio.run(prepare_database(Settings(kafka="", instance="attacks", drill_clock=True, **own)))
            with World(url, master, compiled(), proxy="127.0.0.1") as world:
                yield world
    finally:
        made.close()
