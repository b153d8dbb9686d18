"""Generate made-up caseloads from a seed: arrivals, and later events in a case besides answers (withdrawal, exclusion, changed traits).

A *world* is one year of the whole country; worlds are independent of one another. A caseload of many cases is many such years, so beds are
as scarce as in life and every year can be computed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct, structs

from referral.analysis.simulation import rates
from referral.analysis.simulation.seeded import Dice, one_of
from referral.domain.durations import DAY_US, HOUR_US
from referral.domain.events import ActorExcluded, ActorKind, Consent, ConsentChanged, ConsentState, Traits, TraitsChanged
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway

DAYS = 365


class Arrival(Struct, frozen=True, kw_only=True):
    """One new referral. name: world and number, `0-17`. at: µs UTC. pathway: the one that it was made for."""

    name: str
    at: int
    pathway: str
    agency: str
    traits: Traits
    consent: Consent | None


class Caseload(Struct, frozen=True, kw_only=True):
    """One world: the cases that arrive within one year, for the pathways and municipalities of a policy."""

    policy: Policy
    seed: int
    world: int
    cases: int
    year: int

    @property
    def start(self) -> int:
        """The first moment of the year, µs UTC."""
        return int(datetime(self.year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000

    def arrivals(self) -> Iterator[Arrival]:
        """Yield every case, in order of number, not of time."""
        dice = Dice(self.seed)
        mix = {p.id: float(rates.MIX.get(p.id, rates.OTHERS)) for p in self.policy.current}
        pathways = {p.id: p for p in self.policy.current}
        places = {m: float(rates.THOUSANDS.get(m, 20)) for m in sorted(self.policy.municipalities)}
        senders = _senders(self.policy)
        for number in range(self.cases):
            name = f"{self.world}-{number}"
            day, hour, which, where = dice.throw(f"{name} comes")
            pathway, place = pathways[one_of(mix, which)], one_of(places, where)
            yield Arrival(
                name=name,
                at=self.start + int(day * DAYS) * DAY_US + _hour(hour),
                pathway=pathway.id,
                agency=senders.get(place) or senders[""],
                traits=_traits(dice, name, pathway, place, self.policy),
                consent=_consent(dice, name),
            )


def a_year(policy: Policy) -> int:
    """Return the number of cases that all pathways of a policy have in one year."""
    return sum(rates.MIX.get(p.id, rates.OTHERS) for p in policy.current)


def worlds(policy: Policy, cases: int, seed: int, year: int) -> list[Caseload]:
    """Return this many cases, spread evenly over as many worlds as they fill."""
    count = max(1, round(cases / a_year(policy)))
    share, more = divmod(cases, count)
    return [Caseload(policy=policy, seed=seed, world=n, cases=share + (n < more), year=year) for n in range(count)]


def _senders(policy: Policy) -> dict[str, str]:
    """Return by municipality an agency that is no desk; under the empty word any such agency."""
    found = {"": min(policy.agencies)}
    for agency in sorted(policy.agencies.values(), key=lambda one: (not one.id.startswith("school"), one.id)):
        if not agency.desk:
            found.setdefault(agency.municipality or "", agency.id)
    return found


def _hour(number: float) -> int:
    """Return a time of day in µs after midnight: seven of ten by day, between 8 and 20 h (P)."""
    by_day = number < 0.7
    hours = 8 + 12 * number / 0.7 if by_day else (20 + 12 * (number - 0.7) / 0.3) % 24
    return int(hours * HOUR_US)


def _traits(dice: Dice, name: str, pathway: Pathway, place: str, policy: Policy) -> Traits:
    """Return traits to which the pathway applies; traits that it does not test follow the tables."""
    fixed: dict[str, str] = {}
    for number, group in enumerate(pathway.applies):
        mark = one_of({mark: rates.TRAITS.get(mark, 1.0) for mark in sorted(group)}, dice.throw(f"{name} applies {number}")[0])
        trait, _, word = mark.partition("=")
        fixed[trait] = word
    sex, urgency, origin, asylum = dice.throw(f"{name} traits")
    band, language, home, _ = dice.throw(f"{name} person")
    age = fixed.get("age", "child")
    abroad = fixed.get("origin", "foreign" if origin < rates.FOREIGN.get(pathway.id, 0.03) else "domestic") == "foreign"
    flags = [f for f in policy.codes.get("flag", ()) if dice.throw(f"{name} flag {f}")[0] < rates.FLAGS.get(f, 0.002)]
    return Traits(
        concern=fixed.get("concern", ""),
        age=age,
        age_band=fixed.get("age_band") or _band(pathway.id, age, band, policy),
        sex=fixed.get("sex", "female" if sex < rates.FEMALE.get(pathway.id, 0.5) else "male"),
        found_in=fixed.get("found_in", place),
        home=fixed.get("home", "" if abroad or home < 0.2 else place),
        urgency=fixed.get("urgency", one_of(rates.URGENCY, urgency)),
        origin="foreign" if abroad else fixed.get("origin", "domestic"),
        asylum=fixed.get("asylum", one_of(rates.ASYLUM, asylum) if abroad else "not-claimed"),
        languages=(fixed.get("languages", one_of(rates.LANGUAGES, language)),),
        flags=tuple(sorted({*flags, *([fixed["flags"]] if "flags" in fixed else [])})),
    )


def _band(pathway: str, age: str, number: float, policy: Policy) -> str:
    if age == "adult":
        return "18-120"
    wanted = rates.BANDS.get(pathway, rates.BANDS[""])
    known = {band: weight for band, weight in wanted.items() if band in policy.codes.get("age-band", ())}
    return "unknown" if age == "uncertain" and number < 0.5 else one_of(known, number) or "unknown"


def _consent(dice: Dice, name: str) -> Consent | None:
    state = one_of(rates.CONSENT, dice.throw(f"{name} consent")[0])
    return consent(ConsentState(state)) if state else None


def consent(state: ConsentState) -> Consent:
    """Return a consent of the person for every section and every agency."""
    return Consent(state=state, basis="consent", giver="person", scope=(), recipients=(), until=None)


FORTNIGHT = 14 * DAY_US


def life(dice: Dice, arrival: Arrival) -> Iterator[tuple[int, Struct]]:
    """Yield later inputs of the case with their time, µs UTC."""
    withdraws, excludes, changes, what = dice.throw(f"{arrival.name} life")
    when, later, _, _ = dice.throw(f"{arrival.name} when")
    at = arrival.at + int(when * FORTNIGHT)
    if withdraws < rates.WITHDRAWS:
        withdrawal = consent(ConsentState.WITHDRAWN)
        yield at, ConsentChanged(agency=arrival.agency, consent=withdrawal, received_at=at)
    at = arrival.at + int(later * FORTNIGHT)
    if excludes < rates.EXCLUDES:
        yield at, ActorExcluded(agency=arrival.agency, kind=ActorKind.RELATION, actor="parent", received_at=at)
    if changes < rates.CHANGES:
        traits = arrival.traits
        grown = traits.age == "uncertain" and what < 0.5
        new = {"age": "adult", "age_band": "18-120"} if grown else {"urgency": "emergency"}
        yield at, TraitsChanged(agency=arrival.agency, traits=structs.replace(traits, **new), received_at=at)
