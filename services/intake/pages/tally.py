"""Count the open steps of an agency or desk by step and age band, and list what is late and what waits. Pure: rows, names and now in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from referral.domain.case_number import case_number
from referral.runtime.i18n import Name, Words
from services.intake.model import Offer, Spot
from services.intake.pages import labels
from services.intake.pages.labels import Time

DAYS = 90
"""Days that the overview looks back (ours): a quarter, as offices report."""
ROWS = 200
"""Most rows of the list (ours); the ones whose limit is next stay."""


@dataclass(frozen=True, slots=True)
class Row:
    """One open step. href: its page, or empty where the reader has none. who: the agency that is asked, or the colleague who has it."""

    number: str
    href: str
    step: str
    line: str
    state: str
    who: str
    time: Time | None

    @property
    def cells(self) -> tuple[str, str, str, None, Time | None, str]:
        """Return the row as `parts.rows` shows it."""
        return self.href, self.number, self.step, None, self.time, " · ".join(part for part in (self.who, self.state, self.line) if part)


@dataclass(frozen=True, slots=True)
class Tally:
    """What an agency or desk has open, and its last DAYS days.

    bands: names of the columns. steps: (name, a count for each band, total). late: number of rows whose limit has passed.
    begun, ended: cases of the last DAYS days; ended: of them, those of which nothing is open.
    """

    bands: tuple[str, ...]
    steps: tuple[tuple[str, tuple[int, ...], int], ...]
    rows: tuple[Row, ...]
    late: int
    begun: int
    ended: int


def tally(
    offers: Sequence[Offer],
    own: str,
    spots: Mapping[str, Spot],
    who: Mapping[str, str],
    codes: Sequence[str],
    say: Words,
    name: Name,
    now: int,
) -> Tally:
    """Return the overview. own: agency of the reader. who: offer id → login of its colleague. codes: every age band, the youngest first."""
    waiting = sorted(filter(_waits, offers), key=lambda offer: labels.order(offer, now))
    counted = Counter((offer.step, spots.get(offer.case_id, Spot()).age_band) for offer in waiting)
    bands = [code for code in codes if any(band == code for _, band in counted)]
    order = Counter(offer.step for offer in waiting).most_common()
    steps = tuple((name("step", step), tuple(counted[step, band] for band in bands), total) for step, total in order)
    begun = {offer.case_id for offer in offers}
    return Tally(
        bands=tuple(name("age-band", band) for band in bands),
        steps=steps,
        rows=tuple(_row(offer, own, spots, who, say, name, now) for offer in waiting[:ROWS]),
        late=sum(offer.due is not None and offer.due <= now for offer in waiting),
        begun=len(begun),
        ended=len(begun - {offer.case_id for offer in offers if offer.closed_at is None}),
    )


def _waits(offer: Offer) -> bool:
    """Return whether an offer is open, and more than a notice."""
    return offer.closed_at is None and offer.declined_by is None and offer.kind != "NOTIFY"


def _row(offer: Offer, own: str, spots: Mapping[str, Spot], who: Mapping[str, str], say: Words, name: Name, now: int) -> Row:
    spot = spots.get(offer.case_id, Spot())
    known = (("pathway", offer.pathway), ("age-band", spot.age_band), ("municipality", spot.found_in))
    ours = offer.agency == own
    return Row(
        number=case_number(offer.case_id),
        href=f"/offers/{offer.offer_id}" if ours else f"/calls/{offer.offer_id}" if offer.reach == "PHONE" else "",
        step=name("step", offer.step),
        line=" · ".join(name(kind, code) for kind, code in known if code),
        state=say("state." + labels.state(offer))
        if ours
        else say("stage." + ("taken" if offer.state in ("ACCEPTED", "ON_HOLD") else "asked")),
        who=who.get(offer.offer_id, "") if ours else name("agency", offer.agency),
        time=labels.time(say, offer.due, "", now),
    )


def matches(number: str, case_ids: Iterable[str]) -> frozenset[str]:
    """Return the cases that have this number: one, hardly ever two."""
    return frozenset(case for case in case_ids if case_number(case) == number)
