"""What only the whole of a policy shows: what no way ever reaches, procedures in one another's way, and seats that hang on one agency."""

from __future__ import annotations

from collections.abc import Iterator

from referral.domain.deadline import DAY, due
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.procedure import Marks, Pathway, Step
from referral.domain.reach_findings import Finding
from referral.domain.reach_tally import Tally
from referral.domain.reach_world import START


def whole(policy: Policy, tally: Tally) -> Iterator[Finding]:
    """What is wrong. tally: of every class of every pathway that it knows."""
    yield from rivals(policy)
    for pathway in policy.current:
        if pathway.id not in tally.opened:
            continue
        for step in pathway.asking:
            if step.id not in tally.opened[pathway.id]:
                said = f"nothing ever reaches this step: {_waits_for(pathway, step.id)}"
                yield Finding("dead", pathway.id, step.id, "", said, "change what it waits for, or take it out")
            yield from _overlapping(policy, pathway, step)
            if step.kind is StepKind.DECIDE and step.id in tally.opened[pathway.id]:
                for code in step.codes:
                    if (step.id, code) not in tally.decided[pathway.id]:
                        said = f"{code} can never be decided"
                        yield Finding("dead-code", pathway.id, step.id, code, said, "take the code out, or say who may decide it")


def rivals(policy: Policy) -> Iterator[Finding]:
    """Two procedures for the same person, of which neither says what becomes of the other."""
    for number, one in enumerate(policy.current):
        for other in policy.current[number + 1 :]:
            both = shared(one, other)
            if both is None or other.id in one.leads_to or one.id in other.leads_to:
                continue
            said = f"it begins together with {other.id} for the same person ({', '.join(both)}), and neither says which comes first"
            do = f"tell them apart in applies, or say in changes how one leads to {other.id} (switch_to, or also_open with pause)"
            yield Finding("rivals", one.id, "", other.id, said, do)


def shared(one: Pathway, other: Pathway) -> tuple[str, ...] | None:
    """An example of circumstances to which both apply; None where there is none."""
    found: list[str] = []
    groups: dict[str, list[Marks]] = {}
    for group in (*one.applies, *other.applies):
        for name in {mark.partition("=")[0] for mark in group}:
            groups.setdefault(name, []).append(frozenset(mark for mark in group if mark.startswith(f"{name}=")))
    for name, sets in groups.items():
        if name in ("flags", "languages"):
            found += [min(marks) for marks in sets]
            continue
        both = frozenset.intersection(*map(frozenset, sets))
        if not both:
            return None
        found.append(min(both))
    return tuple(dict.fromkeys(found))


def _overlapping(policy: Policy, pathway: Pathway, step: Step) -> Iterator[Finding]:
    """Rounds that may last until after the next one should have begun: its limit cannot be kept."""
    last = next((step.limits[what] for what in ("complete", "decide", "arrive", "present", "accept") if what in step.limits), None)
    if last is None or not step.repeats:
        return
    every = [after.micros - before.micros for before, after in zip(step.at, step.at[1:], strict=False)]
    every += [step.then_every.micros] if step.then_every is not None else []
    if every and min(every) < due(START, last, policy.calendar) - START:
        days = min(every) // DAY
        said = f"a round may take {last} and the next one begins {days} days after it: whoever is in time is late for the next"
        yield Finding("limit", pathway.id, step.id, "rounds", said, "give a round less time, or let more time pass between rounds")


def _waits_for(pathway: Pathway, id: str) -> str:
    step = pathway.by_id[id]
    said = [f"after {', '.join(sorted(step.after))}"] if step.after else []
    said += [f"when {' or '.join(sorted(group))}" for group in step.when]
    said += [f"unless {' or '.join(sorted(step.unless))}"] if step.unless else []
    return "; ".join(said) or "it has no condition, and the case is always over before"
