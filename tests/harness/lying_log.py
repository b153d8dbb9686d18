"""A log whose routing lies about what it decided upon, under its own key: every decision follows from its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from msgspec import structs

from referral.domain.case import holds, open_offers
from referral.domain.events import Facts, PolicyActivated, Word
from referral.domain.policy import ENGINE
from referral.wire import codec, headers
from referral.wire.signed import trust_lines
from tests.harness.audit_log import FILES, MINUTE, Log, asked, named, released, response
from tests.harness.policies import LINES, bundle

LINDEN = "shelter-linden.beds"
"""The first shelter in Prizren; it has one bed."""
PATH = "pathways/trafficking-child.yaml"
SLOW = {**FILES, PATH: FILES[PATH].replace(b"acknowledge: 15 min P", b"acknowledge: 20 min P", 1)}
Lie = Callable[[Facts], Facts]


def honest(true: Facts) -> Facts:
    return true


@dataclass
class LyingLog(Log):
    """lie: what routing makes of the true facts of its next decisions."""

    lie: Lie = honest

    def facts(self, true: Facts) -> Facts:
        return self.lie(true)


def begun(stack: bool | None = False, *, exercises: bool = False, before: bool = False) -> LyingLog:
    """A signed log that is alive, and has decided upon nothing yet.

    stack: it is for exercises alone, as its heartbeats say; None: there are none. exercises: its cases are.
    before: under the policy of the last release, which its rules can read too.
    """
    files = released(ENGINE - 1) if before else FILES
    log = LyingLog(signed=True, drill=exercises, files=files if before else None)
    named(log, more=LINES + trust_lines.pin_line(1, bundle(1, files).digest))
    if stack is not None:
        log.beat(None, drill=stack)
    return log


def placed(log: Log, name: str, lie: Lie = honest) -> str:
    """Refer a child and ask a shelter for it, a minute between two answers. Return the case. lie: of the decision that asks the shelter."""
    case_id, police = asked(log, name)
    log.now += MINUTE
    log.input(case_id, response(police, Word.ACCEPT, name), f"police {name}")
    for agency in ("advocate-prizren", "csw-prizren"):
        offer = next(one for one in open_offers(log.cases[case_id]) if one.agency == agency)
        log.now += MINUTE
        if isinstance(log, LyingLog):
            log.lie = lie if agency == "csw-prizren" else honest
        log.input(case_id, response(offer, Word.ACCEPT, name), f"{agency} {name}")  # type: ignore[arg-type]
    if isinstance(log, LyingLog):
        log.lie = honest
    assert sum(holds(log.cases[case_id]).values()) == 1
    log.now += 10 * MINUTE
    return case_id


def free(**places: int) -> Lie:
    """Say that these shelters have so many free places. places: name of a shelter → its beds."""

    def lie(true: Facts) -> Facts:
        said = {f"shelter-{name}.beds": count for name, count in places.items()}
        return structs.replace(true, free={one: said.get(one, count) for one, count in true.free.items()})

    return lie


def by_bundle(number: int) -> Lie:
    return partial(structs.replace, bundle=number)


def ahead(micros: int) -> Lie:
    return lambda true: structs.replace(true, now=true.now + micros)


def activate(log: Log, number: int = 2, at: int | None = None) -> None:
    """A bundle comes into force; of the agencies' limits it changes one. at: what it says of its time."""
    body = bundle(number, SLOW, at=log.now if at is None else at, before=log.files or FILES)
    told = headers.plain(PolicyActivated.TYPE, id=f"00000000-0000-4000-8000-{number:012}", source="routing", at=log.now)
    log.put(body.TOPIC, 0, str(number).encode(), codec.encode(body), told)
