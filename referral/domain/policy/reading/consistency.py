"""Check a procedure whose words are all valid for errors between steps: steps that can never begin, and roles whose services it bans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from referral.domain.events import StepKind
from referral.domain.policy.directory import FACT, JUDGES
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.policy.reading.conditions import Marking
from referral.domain.policy.reading.reader import Fields


def check(pathway: Pathway, get: Fields, marking: Marking) -> None:
    """Check a procedure; errors are reported to the reader of the file."""
    _waiting(pathway, marking)
    _forbidden(pathway, marking)
    _locked(pathway, marking)
    _endless(pathway, get, marking)
    _by_silence(pathway, marking)
    _own_lateness(pathway, marking)
    for node, change in zip(get["changes"].each(), pathway.changes, strict=True):
        if pathway.id and pathway.id in (change.switch_to, change.also_open):
            node.error(f"{pathway.id} cannot change into itself")
        if not change.when:
            node.error("a change needs when, e.g. when: {age: [adult]}")


def _waiting(pathway: Pathway, marking: Marking) -> None:
    """Report steps that wait for one another and so can never begin: the first step of each circle, with the circle."""
    stuck = _stuck(pathway)
    reported: set[str] = set()
    for step in stuck.values():
        circle = _circle(step.id, stuck)
        if circle and not reported & set(circle):
            reported |= set(circle)
            first = next(one for one in pathway.steps if one.id in circle)
            turned = circle[circle.index(first.id) :] + circle[: circle.index(first.id)]
            node = dict(marking.steps[first.id].items())
            where = node.get("after") or marking.steps[first.id]
            where.error(f"these steps wait for one another, so that none of them can begin: {' → '.join([*turned, first.id])}")


def _own_lateness(pathway: Pathway, marking: Marking) -> None:
    """Report a step that waits for a limit of its own to pass: nothing of it runs until it begins."""
    for step in pathway.steps:
        for word in ("after", "when"):
            group = step.after if word == "after" else frozenset(mark for marks in step.when for mark in marks)
            if any(mark.partition(".")[0] == step.id and mark.endswith("-missed") for mark in group):
                dict(marking.steps[step.id].items())[word].error(
                    f"{step.id} waits for a limit of its own, which runs only once it has begun"
                )


def _by_silence(pathway: Pathway, marking: Marking) -> None:
    """Report a decision by silence where a person must decide: in a case in which a code may be forbidden, before a person is locked up, or
    where the code states a fact."""
    facts = marking.directory.properties.get(FACT, frozenset())
    for step in pathway.steps:
        get = dict(marking.steps[step.id].items())
        if step.on_silence in facts and "on_silence" in get:
            said = f"{step.on_silence} states a fact that somebody must have seen or heard, and nobody has answered"
            get["on_silence"].error(f"{said}; write keep-place or next-candidate, or a code that only asks for help")
        for word in ("on_silence", "on_disagreement"):
            if word in get and get[word].word() in step.forbid:
                get[word].error(f"{get[word].word()} may be forbidden in a case; {word} needs a code that never is")
        if "secure" in get and "secure_needs" not in get:
            get["secure"].key_error("secure_needs is missing: name the decisions that must be made before a person is locked up")
        for word in ("after", "secure_needs"):
            for item in get[word].each() if word in get else ():
                about, _, code = item.word().partition(".")
                decided = pathway.step(about)
                rivals = [other for other in decided.codes if other != code] if decided and code in decided.codes else []
                for other in sorted({f"{about}.{rival}" for rival in rivals} & {one.word() for one in get[word].each()}):
                    if other > item.word():
                        item.error(f"{item.word()} and {other} never stand together: {about} is decided by one of them")


def _stuck(pathway: Pathway) -> Mapping[str, Step]:
    """Return the steps that no sequence of answers makes ready, by id."""
    free: set[str] = set()
    left = {step.id: step for step in pathway.steps}
    while ready := [step for step in left.values() if not any(need not in free for need in _needs(step, free))]:
        for step in ready:
            free.add(step.id)
            del left[step.id]
    return left


def _needs(step: Step, free: set[str]) -> Iterator[str]:
    """Yield steps without which the step cannot begin, as far as that is known while only the steps in `free` can."""
    after = {mark.partition(".")[0] for mark in step.after}
    at_once = {mark.partition(".")[0] for mark in step.at_once}
    if not any("=" in one or one in free for one in at_once):
        yield from sorted(after)
    for group in step.when:
        if all("=" not in mark and mark.partition(".")[0] != step.id for mark in group):
            others = {mark.partition(".")[0] for mark in group}
            if not others & free:
                yield min(others)
    for rule in step.seats:
        if rule.holder is not None:
            yield rule.holder[0]


def _circle(start: str, stuck: Mapping[str, Step]) -> list[str]:
    """Return the circle that the first unmet need of each step leads into; empty where it leads elsewhere."""
    path = [start]
    while True:
        needed = next((need for need in _needs(stuck[path[-1]], set()) if need in stuck), "")
        if not needed:
            return []
        if needed in path:
            return path[path.index(needed) :]
        path.append(needed)


def _forbidden(pathway: Pathway, marking: Marking) -> None:
    """Report a role that only banned services have: its offer would reach no service, and the next one in order would get the case too
    late."""
    for step in pathway.steps:
        certain = (*pathway.applies, *step.when)
        for ban in pathway.never:
            if not ban.tag or not all(any(group <= one for group in certain) for one in ban.when):
                continue
            for role in _roles(step):
                having = [service for service in marking.directory.services.values() if role in service.roles]
                if having and all(ban.tag in service.tags for service in having):
                    what = f"every service with the role {role} is tagged {ban.tag}, which never: {ban.name} forbids"
                    marking.steps[step.id].spot(role).error(f"{what}; ask another role or change never")


def _locked(pathway: Pathway, marking: Marking) -> None:
    """Report a step that could lock a person up without a court, in a procedure with a ban of that: a role that locks is under `secure`,
    and one of the decisions of `secure_needs` is made by somebody who decides as a court."""
    judges = marking.directory.properties.get(JUDGES, frozenset())
    for step in pathway.steps:
        for role in _roles(step):
            spot, place = marking.steps[step.id].spot(role), step.placement
            if role not in pathway.locked:
                continue
            if place is None or role not in place.secure:
                spot.error(f"{role} locks people up; only a step that names it under secure may ask it")
            elif not any(_judged(pathway, mark, judges) for mark in place.needs):
                spot.error(f"{role} locks people up and no court decides it; name the decision of a judge under secure_needs")


def _judged(pathway: Pathway, mark: str, judges: Marks) -> bool:
    """Return True when this mark is a code that only people who decide as a court decide."""
    about, _, code = mark.partition(".")
    step = pathway.step(about)
    if step is None or code not in step.codes or code in (step.on_silence, step.on_disagreement):
        return False
    return any(rule.roles and judges >= set(rule.roles) for rule in step.seats)


def _roles(step: Step) -> list[str]:
    """Return every role that a step may ask, its last resort included, each once."""
    found = [role for rule in step.seats if rule.holder is None for role in (*rule.roles, *rule.last_resort)]
    if step.placement is not None:
        found += [*step.placement.until_known, *(role for roles in step.placement.roles.values() for role in roles)]
    return list(dict.fromkeys(role for role in found if role))


def _endless(pathway: Pathway, get: Fields, marking: Marking) -> None:
    """Report steps that keep the procedure open for ever: a feed in close_when, which is never done, and a repetition without end."""
    for step in pathway.steps:
        if step.kind is StepKind.FEED and f"{step.id}.done" in pathway.close_when:
            get["close_when"].spot(step.id).error(f"{step.id} is a feed, which is never done; leave it out here")
        if step.then_every is not None and not step.until:
            fields = dict(marking.steps[step.id].items())
            fields["then_every"].key_error("this repeats for ever, so that no case would ever close; add until: with the marks that end it")
