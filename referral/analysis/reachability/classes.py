"""Group circumstances that a procedure cannot tell apart into classes, so that the model check walks one example of each.

The procedure is evaluated with the traits and consent put in; what they decide falls away, and so do steps that they make impossible. The
rest is the *residue*: circumstances with the same residue are one class. Whom a person finds in the municipality is for `look`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

from msgspec import structs

from referral.analysis.reachability.world import START
from referral.domain.contradictions import fits
from referral.domain.durations import MINUTE_US
from referral.domain.entered_times import times_of
from referral.domain.events import Consent, ConsentState, EnteredTime, Traits
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Change, Marks, Pathway, Step
from referral.domain.rules.conditions import consent_mark, trait_marks

USUAL = Traits(
    concern="trafficking",
    age="child",
    age_band="12-14",
    sex="female",
    found_in="prishtine",
    home="",
    urgency="urgent",
    origin="domestic",
    asylum="not-claimed",
    languages=("sq",),
    flags=(),
)
"""Default traits of every example, the same as in the stories; a trait that the procedure does not test keeps its default."""
ONE = ("age", "sex", "urgency", "origin", "asylum", "home")
LISTS = {"age_band": "age-band", "home": "municipality"}
FLAGS = 6
"""Flags of one procedure that are combined in every way (ours: 64 combinations). Where it can tell more apart, those that lead nowhere
(`_leads_on`) are tried one at a time and all together, and the others in every way, or in pairs where they are too many."""
STATES = (ConsentState.GIVEN, None, ConsentState.REFUSED, ConsentState.WITHDRAWN, ConsentState.UNKNOWN)

AT_HOME = "home"
"""Beginning of every area word of the person's home."""

Residue = tuple[object, ...]


class Circumstance(NamedTuple):
    """Traits without the municipality, and the state of consent."""

    traits: Traits
    consent: Consent | None


def circumstances(pathway: Pathway, policy: Policy) -> Iterator[Circumstance]:
    """Yield every circumstance that a procedure applies to and that it, or an agency's ages and sexes, may tell apart."""
    looks_at = tested_marks(pathway)
    choices = {name: _words(name, looks_at, pathway, policy) for name in (*ONE, "concern", "age_band")}
    if (abroad := next(iter(policy.municipalities), "")) not in choices["home"] and _asks_at_home(pathway, policy):
        choices["home"].append(abroad)
    choices["sex"] = [sex for sex in ("female", "male", "unknown") if sex in policy.codes.get("sex", ())] or choices["sex"]
    choices["age_band"] = [band for band in policy.codes.get("age-band", ()) if band in choices["age_band"] or band not in looks_at]
    states = STATES if pathway.consent.needed or any(mark.startswith("consent=") for mark in looks_at) else (None,)
    names = list(choices)
    for words in product(*choices.values()):
        one = dict(zip(names, words, strict=True))
        if not fits(one["age"], one["age_band"]):
            continue
        said = product(_flags(looks_at, pathway), _languages(looks_at, pathway), _times(looks_at, pathway), states)
        for flags, languages, times, state in said:
            traits = structs.replace(USUAL, **one, flags=flags, languages=languages, times=times)
            consent = None if state is None else Consent(state=state, basis="consent", giver="person", scope=(), recipients=(), until=None)
            yield Circumstance(traits, consent)
    for traits in _handed_over(pathway, policy, looks_at):
        yield Circumstance(traits, None)


def _handed_over(pathway: Pathway, policy: Policy, looks_at: Mapping[str, set[str]]) -> Iterator[Traits]:
    """Yield the referrals that another procedure hands over to this one at once, where this one tests the concern with which they came."""
    for other in policy.current:
        concerns = {mark for group in other.applies for mark in group if mark.startswith("concern=")} & looks_at.keys()
        for concern, band in product(sorted(concerns), policy.codes.get("age-band", ())):
            traits = structs.replace(USUAL, concern=concern.partition("=")[2], age_band=band)
            if fits(traits.age, band) and any(_hands_over(change, traits) for change in other.changes if change.switch_to == pathway.id):
                yield traits


def _hands_over(change: Change, traits: Traits) -> bool:
    return all(group & trait_marks(traits) for group in change.when)


def _asks_at_home(pathway: Pathway, policy: Policy) -> bool:
    """Return True when a procedure, or one that it leads to, asks agencies of the person's home: it may be elsewhere."""
    begun = [pathway, *(other for other in policy.current if other.id in pathway.leads_to)]
    return any(area.startswith(AT_HOME) for one in begun for step in one.steps for rule in step.seats for area in rule.areas)


def applies(pathway: Pathway, traits: Traits) -> bool:
    """Return True when a procedure begins for a referral with these traits."""
    marks = trait_marks(traits)
    return all(group & marks for group in pathway.applies)


def opened(policy: Policy, traits: Traits) -> tuple[Pathway, ...]:
    """Return every procedure that begins for such a referral."""
    return tuple(pathway for pathway in policy.current if applies(pathway, traits))


def looked_at(policy: Policy, traits: Traits) -> tuple[Pathway, ...]:
    """Return what is done for such a referral while nobody has confirmed it."""
    return tuple(pathway for pathway in policy.unverified if applies(pathway, traits))


def residue(pathways: Iterable[Pathway], given: Circumstance) -> Residue:
    """Return the residue of these procedures under a circumstance."""
    marks = {*trait_marks(given.traits), consent_mark(given.consent, 0)}
    times = times_of(given.traits)
    return tuple((_left(pathway, marks), _counted(pathway, marks, times)) for pathway in pathways)


def _counted(pathway: Pathway, marks: Marks, times: Mapping[str, int]) -> Residue:
    """Return the times from which a limit of a step counts that can begin."""
    codes = {limit.since for step in possible(pathway, marks).values() for limit in step.limits.values() if limit.since}
    return tuple((code, times[code]) for code in sorted(codes) if code in times)


def possible(pathway: Pathway, marks: Marks) -> dict[str, Step]:
    """Return the steps that can begin at all under these circumstances, by id."""
    found: dict[str, Step] = {}
    agreed = not pathway.consent.needed or "consent=given" in marks
    while more := [s for s in pathway.asking if s.id not in found and (agreed or s.without_consent) and _can_begin(s, marks, found)]:
        found.update({step.id: step for step in more})
    return found


def _can_begin(step: Step, marks: Marks, others: Mapping[str, Step]) -> bool:
    """Return True when a step can begin, once the given other steps can."""
    if not step.unless.isdisjoint(marks):
        return False
    if not all(any(_may_stand(mark, marks, others, step) for mark in group) for group in step.when):
        return False
    if step.placement is not None and step.placement.by and step.placement.by not in others and not step.placement.until_known:
        return False
    ready = all(_may_stand(mark, marks, others, step) for mark in step.after)
    return ready or any(_may_stand(mark, marks, others, step) for mark in step.at_once)


def _may_stand(mark: str, marks: Marks, steps: Mapping[str, Step], own: Step) -> bool:
    """Return True when a mark can ever be set."""
    return mark in marks if "=" in mark else mark.partition(".")[0] in steps or mark.partition(".")[0] == own.id


def _left(pathway: Pathway, marks: Marks) -> Residue:
    """Return the residue of one procedure under these marks."""
    steps = possible(pathway, marks)

    def kept(marks: Marks) -> tuple[str, ...]:
        return tuple(sorted(mark for mark in marks if "=" not in mark and mark.partition(".")[0] in steps))

    def asked(group: Marks) -> object:
        return True if not group.isdisjoint(marks) else kept(group)

    left = [
        (step.id, *_ready(step, marks, kept), *map(asked, step.when), kept(step.unless), kept(step.again), kept(step.until))
        for step in steps.values()
    ]
    changes = [
        (change.switch_to or change.also_open, change.pause, tuple(map(asked, change.when)))
        for change in pathway.changes
        if all(asked(group) for group in change.when)
    ]
    return pathway.id, consent_class(pathway, marks), tuple(left), tuple(changes)


def _ready(step: Step, marks: Marks, kept: object) -> tuple[object, object]:
    if not step.at_once.isdisjoint(marks) or not step.after:
        return True, True
    return kept(step.after), kept(step.at_once)  # type: ignore[operator]


def consent_class(pathway: Pathway, marks: Marks) -> str:
    """Return the effect of consent on a procedure: none (empty), given, awaited or withheld."""
    if not pathway.consent.needed:
        return ""
    if "consent=given" in marks:
        return "given"
    return "awaited" if {"consent=unknown", "consent=not-asked"} & marks else "withheld"


def tested_marks(pathway: Pathway) -> dict[str, set[str]]:
    """Return the circumstances that a procedure tests: mark → the conditions that contain it."""
    found: dict[str, set[str]] = {}
    for step in pathway.steps:
        groups = [step.after, step.at_once, step.again, step.unless, step.until, *step.when]
        for number, group in enumerate(groups):
            for mark in group:
                found.setdefault(mark, set()).add(f"{step.id} {number}")
    for number, change in enumerate(pathway.changes):
        for group in change.when:
            for mark in group:
                found.setdefault(mark, set()).add(f"change {number}")
    for ban in pathway.never:
        for group in ban.when:
            for mark in group:
                found.setdefault(mark, set()).add(f"never {ban.name}")
    return {mark: places for mark, places in found.items() if "=" in mark}


def _words(name: str, tested: Mapping[str, set[str]], pathway: Pathway, policy: Policy) -> list[str]:
    """Return one word of each kind of a circumstance: words in the same conditions are equivalent, and so are all words in none."""
    usual = str(getattr(USUAL, name))
    allowed = [mark.partition("=")[2] for group in pathway.applies for mark in sorted(group) if mark.startswith(f"{name}=")]
    every = allowed or list(policy.codes.get(LISTS.get(name, name), (usual,)))
    every.sort(key=lambda word: word != usual)
    if name == "age_band":
        return every
    if name in ("age", "concern") and allowed:
        kinds: dict[object, str] = {}
        for word in every:
            kinds.setdefault((frozenset(tested.get(f"{name}={word}", ())), word == "adult"), word)
        return list(kinds.values())
    found: dict[frozenset[str], str] = {}
    for word in every:
        found.setdefault(frozenset(tested.get(f"{name}={word}", ())), word)
    return list(found.values())


def _flags(tested: Mapping[str, set[str]], pathway: Pathway) -> list[tuple[str, ...]]:
    """Return the combinations of flags that the procedure can tell apart."""
    kinds: dict[frozenset[str], str] = {}
    for mark in sorted(tested):
        if mark.startswith("flags="):
            kinds.setdefault(frozenset(tested[mark]), mark.partition("=")[2])
    needed = [sorted(mark.partition("=")[2] for mark in group) for group in pathway.applies if all(m.startswith("flags=") for m in group)]
    flags = sorted(kinds.values())
    if len(flags) <= FLAGS:
        sets = _combined(flags, range(len(flags) + 1))
    else:
        leading = sorted(flag for places, flag in kinds.items() if _leads_on(places, pathway))
        sets = _combined(leading, range(len(leading) + 1) if len(leading) <= FLAGS else (0, 1, 2, len(leading)))
        sets += [{flag} for flag in flags if flag not in leading] + [set(flags)]
    return [tuple(sorted({*one, *(group[0] for group in needed if not one & set(group))})) for one in sets]


def _times(tested: Mapping[str, set[str]], pathway: Pathway) -> list[tuple[EnteredTime, ...]]:
    """Return what may be known of each time that the procedure looks at: nothing, or one time that is now, or lies a minute less, or a
    minute more, than the length of a limit back."""
    found: dict[str, set[int]] = {mark.partition("=")[2]: {START} for mark in tested if mark.startswith("times=")}
    for limit in (limit for step in pathway.steps for limit in step.limits.values() if limit.since):
        found.setdefault(limit.since, set()).update({START, START - limit.micros + MINUTE_US, START - limit.micros - MINUTE_US})
    return [(), *((EnteredTime(code=code, at=at),) for code in sorted(found) for at in sorted(found[code]))]


def _combined(flags: Sequence[str], sizes: Iterable[int]) -> list[set[str]]:
    return [set(one) for size in sizes for one in combinations(flags, size)]


def _leads_on(places: Iterable[str], pathway: Pathway) -> bool:
    """Return True when a flag tested in these places changes more than steps on whose state no other step depends."""
    steps = [place.rpartition(" ")[0] for place in places]
    return any(pathway.readers.get(step) != frozenset({step}) for step in steps)


def _languages(tested: Mapping[str, set[str]], pathway: Pathway) -> list[tuple[str, ...]]:
    """Return the languages that the procedure can tell apart."""
    marks = {*tested, *(mark for group in pathway.applies for mark in group)}
    words = sorted(mark.partition("=")[2] for mark in marks if mark.startswith("languages="))
    return [("sq",), *((word,) for word in words if word != "sq")]
