"""Random cases with a marker in every field that can hold words, and one officer for each, whose address and numbers are marked too."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from referral.channels.message import WORDINGS
from referral.domain.events import NeedsPerson, OfferKind, OfferOpened, Reach, SectionWritten
from referral.roster import changes as roster
from referral.roster.changes import Person
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack
from tests.harness.markers import codings

WORD = "Zqxvmarkova"
"""Stands in every field of a case, in an officer's address, and nowhere else."""
DIGITS = "4486753"
"""Stand in every officer's numbers, and nowhere else."""
SCRIPTS = (WORD, "Зкџвмаркова", "Zqxvmarkovë")
AT_ONCE = 200
"""Cases of one batch (ours)."""
NOBODYS = "+383"
"""Begins numbers that the handset refuses; it takes +999 alone."""


FORMS = {form: text for text in (*SCRIPTS, DIGITS) for form in codings(text)}


def markers(heard: bytes) -> list[str]:
    """Return the markers that stand in these bytes, in whatever coding."""
    return sorted({text for form, text in FORMS.items() if form in heard})


def marked(draw: random.Random) -> str:
    """Return words with the marker, in a random script and with random neighbours."""
    return f"{draw.choice('abcdefgh')}-{draw.choice(SCRIPTS)}-{draw.randrange(10**6)}"


@dataclass(frozen=True)
class Case:
    """One case. events: what the notifier reads of it. agency: whose only member the officer is."""

    id: str
    events: tuple[Struct, ...]
    drill: bool
    officer: Person
    language: str


def cases(count: int, seed: int, now: int, voice: str = "+999", first: int = 0) -> Iterator[Case]:
    """Make random cases: offers and desk's tasks, urgent all of them, and with a quarter of an hour left at least.

    now: µs, when they are told. voice: country code of the telephones; some have another. first: number of the first officer.
    """
    draw = random.Random(seed)
    for n in range(first, first + count):
        agency = f"agency-{marked(draw)}-{n}"
        abroad = NOBODYS if draw.random() < 0.1 else voice
        officer = Person(
            account=str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            agency=agency,
            rungs=("duty",),
            email=f"{WORD}.{n}@police.example",
            sms=f"+383{DIGITS}{n:05}",
            voice=f"{abroad}{DIGITS}{n:05}",
        )
        events = _asked(draw, agency, now + draw.randrange(15, 119) * MINUTE)
        yield Case(str(uuid.uuid4()), events, draw.random() < 0.3, officer, draw.choice([*WORDINGS]))


def _asked(draw: random.Random, agency: str, due: int) -> tuple[Struct, ...]:
    why = replace(WHY, rule=marked(draw), procedure=marked(draw), directory=marked(draw))
    common: dict[str, Any] = {"head": None, "why": why, "step": marked(draw), "seat": 0, "due": due}
    if draw.random() < 0.25:
        task: dict[str, Any] = {"task_id": str(uuid.uuid4()), "desk": agency, "about": marked(draw), "track_id": marked(draw), "rung": 0}
        return (NeedsPerson(**common, **task),)
    lists: dict[str, Any] = {name: (marked(draw), marked(draw)) for name in ("shows", "words", "reasons", "codes", "needs", "skip")}
    words: dict[str, Any] = {name: marked(draw) for name in ("track_id", "role", "service", "urgency", "due_what")}
    offer: dict[str, Any] = {"offer_id": str(uuid.uuid4()), "agency": agency, "ladder": ("duty", marked(draw)), "rung": 0, "round": 0}
    opened = OfferOpened(**common, **lists, **words, **offer, kind=OfferKind.REQUEST, reach=Reach.WEB)
    text = marked(draw)
    section = SectionWritten(
        agency=agency, by=marked(draw), section=text, version=1, content=text.encode(), offers=(opened.offer_id,), at=due - 120 * MINUTE
    )
    return (opened, section)


async def tell(notifier: Stack, made: Sequence[Case]) -> None:
    """Make the officers of these cases, and hand the cases to the notifier, AT_ONCE in one batch."""
    for first in range(0, len(made), AT_ONCE):
        some = made[first : first + AT_ONCE]
        for case in some:
            await notifier.account(case.officer.account, case.officer.agency, case.language)
        async with notifier.admin.begin() as tx:
            await roster.add_people(tx, notifier.keys, [case.officer for case in some])
            await notifier.keys.create_all(tx, [case.id for case in some])
        await notifier.tell_all((case.id, event, case.drill) for case in some for event in case.events)
