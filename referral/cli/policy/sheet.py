"""Describe a compiled procedure as a sheet that an expert reads and signs, with its conditions in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.policy.limits import Limit
from referral.domain.policy.procedure import Change, Marks, Pathway, SeatRule, Step
from referral.domain.policy.reading.vocabulary import LIMITS, SILENCE, TRAITS
from referral.domain.policy.reviews import State

Rows = tuple[tuple[str, str], ...]
DOES = {
    StepKind.REQUEST: "is asked",
    StepKind.JOINT: "are asked together",
    StepKind.DECIDE: "a decision",
    StepKind.PLACE: "a place",
    StepKind.NOTIFY: "is told",
    StepKind.FEED: "counts for oversight",
}
WITHDRAWAL = {
    "continue": "nothing ends",
    "anonymous": "what needs consent is taken back, the rest goes on without the person's identity",
    "stop": "the procedure ends and reading ends at once",
}


REVIEW = {
    State.DRAFTED: "a draft: no office has confirmed it",
    State.CONFIRMED: "confirmed by {office} on {day}",
}


class StepSheet(Struct, frozen=True, kw_only=True):
    """One step. does: its kind, in words."""

    id: str
    name: str
    does: str
    rows: Rows


class Sheet(Struct, frozen=True, kw_only=True):
    """The whole procedure. ours: the number of limits that are our default (mark P), and the number of all limits."""

    id: str
    name: str
    version: int
    digest: str
    rows: Rows
    steps: tuple[StepSheet, ...]
    ours: tuple[int, int]


def sheet(pathway: Pathway, policy: Policy) -> Sheet:
    """Return every word of the compiled procedure, in the order of its file."""
    speak = Speaker(policy)
    limits = [limit for step in pathway.steps for limit in _limits(step)]
    return Sheet(
        id=pathway.id,
        name=speak.name("pathway", pathway.id),
        version=pathway.version,
        digest=pathway.digest,
        rows=tuple(_whole(pathway, policy, speak)),
        steps=tuple(
            StepSheet(id=step.id, name=speak.name("step", step.id), does=DOES[step.kind], rows=tuple(_step(step, pathway, speak)))
            for step in pathway.steps
        ),
        ours=(sum(limit.source == "P" for limit in limits), len(limits)),
    )


def _limits(step: Step) -> list[Limit]:
    return [*step.limits.values(), *step.at, *([step.then_every] if step.then_every else [])]


def _whole(pathway: Pathway, policy: Policy, speak: Speaker) -> Iterator[tuple[str, str]]:
    yield "for whom", speak.every(pathway.applies)
    consent = pathway.consent
    needed = "the person's consent is needed" if consent.needed else "no consent is needed"
    yield "consent", f"{needed}; basis: {speak.name('basis', consent.basis)}; when it is withdrawn: {WITHDRAWAL[consent.on_withdrawal]}"
    for change in pathway.changes:
        yield "changes", _change(change, speak)
    yield "never asked", ", ".join([*(ban.name.replace("-", " ") for ban in pathway.never), "whoever is excluded"])
    missed = f"opens a case: {speak.name('concern', pathway.raises)}" if pathway.raises else "opens no case of its own"
    yield "missed duty by law", missed
    if pathway.take_back is not None:
        yield "pressed done by mistake", f"taken back within {pathway.take_back}, while nobody else was asked because of it"
    if pathway.seal:
        yield "record", "sealed for ever when the case closes"
    yield "review", REVIEW[(review := policy.review(pathway)).state].format(day=review.confirmed, office=review.office)
    done = [step.id for step in pathway.steps if f"{step.id}.done" in pathway.close_when]
    yield "ends when done", speak.all("step", done)


def _change(change: Change, speak: Speaker) -> str:
    where = speak.name("pathway", change.switch_to or change.also_open)
    how = "instead" if change.switch_to else "as well; this procedure waits until that one has ended" if change.pause else "as well"
    return f"{speak.every(change.when)} → {where} {how}"


def _step(step: Step, pathway: Pathway, speak: Speaker) -> Iterator[tuple[str, str]]:
    yield from _who(step, pathway, speak)
    if step.codes:
        yield "decides", speak.all("decision", step.codes, " / ")
    yield from _when(step, speak)
    for name, limit in step.limits.items():
        yield "limit", f"{limit}: {LIMITS[name]}"
    if step.on_silence:
        silent = SILENCE.get(step.on_silence)
        yield "on silence", silent or f"{speak.name('decision', step.on_silence)} holds, marked as a default, and a desk confirms it"
    if step.on_disagreement:
        yield "no agreement", SILENCE.get(step.on_disagreement) or f"{speak.name('decision', step.on_disagreement)} holds"
    if step.at_most:
        yield "rounds", f"at most {step.at_most}"
    if step.form:
        yield "form", f"{speak.name('section', step.form)}: less than it points to needs a reason and a second person"
    if step.two_persons:
        below = " less than the form points to" if step.second_below else ""
        yield ("two people", f"the second is asked when the first has decided{below}; both say the same, by accounts of their own")
    if step.needs:
        yield "recorded first", speak.all("need", step.needs)
    if step.forbid:
        yield "not while excluded", speak.all("decision", step.forbid)
    if pathway.consent.needed and step.without_consent:
        yield "consent", "done also without the person's agreement"
    if step.feeds:
        yield "counted for", speak.all("feed", step.feeds)
    if step.basis:
        yield "basis", speak.all("basis", step.basis)
    if step.contacts:
        yield "is shown who holds", speak.all("step", step.contacts)
    if step.guidance:
        yield "guidance", speak.all("guidance", step.guidance)


def _who(step: Step, pathway: Pathway, speak: Speaker) -> Iterator[tuple[str, str]]:
    """Yield each seat, and the roles of a place."""
    if (placement := step.placement) is not None:
        for code, roles in placement.roles.items():
            yield f"if {speak.name('decision', code)}", speak.all("role", roles, ", then ")
        if placement.until_known:
            yield "until that is decided" if placement.roles else "who", speak.all("role", placement.until_known, ", then ")
        if placement.secure:
            what = f"{speak.all('role', sorted(placement.secure))}: only with {speak.all_of(placement.needs)}"
            yield "locks up", f"{what}, never after {speak.any_of(placement.ends)}" if placement.ends else what
    for rule in step.seats:
        held = pathway.by_id[rule.holder[0]].seats[rule.holder[1]] if rule.holder else None
        yield from _seat(step, rule, held, speak)


def _seat(step: Step, rule: SeatRule, held: SeatRule | None, speak: Speaker) -> Iterator[tuple[str, str]]:
    """Yield the rows of a seat. held: the rule of the seat whose holder is asked; its properties are not repeated."""
    of = f" ({rule.name})" if step.kind is StepKind.JOINT else ""
    if rule.holder is not None:
        seat = rule.name.partition(".")[2]
        yield "who", f"whoever holds {speak.name('step', rule.holder[0])}{f' ({seat})' if seat not in ('', 'holder') else ''}"
    elif rule.by:
        for mark, roles in rule.by:
            yield f"who, if {speak.name('decision', mark.partition('.')[2])}", speak.all("role", roles, ", then ")
    elif step.placement is None:
        yield (
            f"who{of}",
            ", as a last resort ".join(
                [speak.name("role", rule.roles[0]), *([speak.all("role", rule.roles[1:], ", then ")] if rule.roles[1:] else [])]
            ),
        )
    if rule.last_resort and step.placement is not None:
        yield "last resort", speak.all("role", rule.last_resort, ", then ")
    if rule.holder is None or step.on_silence == "next-candidate":
        yield f"where{of}", speak.all("area", rule.areas, ", then ")
        if rule.ladder:
            yield f"ladder{of}", speak.all("rung", rule.ladder, " → ")
    if rule.not_same_as:
        yield f"another agency than{of}", speak.all("step", [other for other, _ in rule.not_same_as])
    if others := [other for other, _ in rule.apart if other != step.id]:
        yield f"another person than{of}", speak.all("step", others)
    if rule.skills:
        yield f"skill{of}", ", ".join(sorted(rule.skills))
    if rule.statutory and not (held and held.statutory):
        why = f"declines only for: {speak.all('reason', rule.may_decline)}"
        yield f"duty by law{of}", f"{why}; the offer is kept until another accepts"
    elif rule.holder is None and step.kind is not StepKind.NOTIFY and set(rule.may_decline) != set(speak.policy.codes["reason"]):
        yield f"may decline{of}", speak.all("reason", rule.may_decline)
    if step.kind is not StepKind.DECIDE or rule.shows:
        yield f"is shown{of}", speak.all("section", rule.shows) or "nothing of the case file"
        yield f"writes{of}", speak.all("section", rule.writes) or "nothing in the case file"


def _when(step: Step, speak: Speaker) -> Iterator[tuple[str, str]]:
    if step.after:
        yield "begins after", speak.all_of(step.after)
    elif not step.when:
        yield "begins", "at once"
    if step.at_once:
        yield "at once when", speak.any_of(step.at_once)
    if step.when:
        yield "only when", speak.every(step.when)
    if step.unless:
        yield "not when", speak.any_of(step.unless)
    if step.at:
        yield "done", f"{', '.join(map(str, step.at))} after that"
    if step.then_every:
        yield "then again", f"every {step.then_every} after it was done"
    if step.until:
        yield "until", speak.any_of(step.until)
    if step.again:
        yield "again after", speak.any_of(step.again)


CIRCUMSTANCES = {
    "concern": "concern",
    "age": "age",
    "age_band": "age band",
    "sex": "sex",
    "found_in": "found in",
    "home": "home",
    "urgency": "urgency",
    "origin": "origin",
    "asylum": "asylum",
    "languages": "language",
    "flags": "circumstance",
    "consent": "consent",
}
STATES = {
    "acknowledge-missed": "not acknowledged in time",
    "secure": "in a facility that locks up",
    "misplaced": "another kind of place is needed",
}


class Speaker:
    """The names of one policy in English, because experts of several languages sign the same sheet."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def name(self, kind: str, id: str) -> str:
        """Return the English name of a code; a code without names stands for itself."""
        return self.policy.names(kind, id, "en")

    def all(self, kind: str, ids: Iterable[str], joined: str = ", ") -> str:
        return joined.join(self.name(kind, id) for id in ids)

    def mark(self, mark: str) -> tuple[str, str]:
        """Return the subject of a mark, and the statement about it."""
        trait, is_trait, value = mark.partition("=")
        if is_trait:
            return CIRCUMSTANCES.get(trait, trait), self.name(TRAITS.get(trait, trait), value)
        step, _, word = mark.partition(".")
        return self.name("step", step), STATES.get(word) or self.name("decision", word)

    def any_of(self, marks: Marks) -> str:
        """Join marks of which one is enough: `Risk: High risk or Medium risk`."""
        about: dict[str, list[str]] = {}
        for mark in sorted(marks):
            subject, said = self.mark(mark)
            about.setdefault(subject, []).append(said)
        return "; or ".join(f"{subject}: {' or '.join(said)}" for subject, said in about.items())

    def all_of(self, marks: Marks) -> str:
        """Join marks that must all hold: `Police: accepted; and Guardian: decided`."""
        return "; and ".join(f"{subject}: {said}" for subject, said in map(self.mark, sorted(marks)))

    def every(self, groups: Sequence[Marks]) -> str:
        """Join groups of marks; in each group one mark is enough."""
        return "; and ".join(self.any_of(group) for group in groups)
