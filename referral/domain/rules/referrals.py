"""Handle a referral, its withdrawal, a lost record and an exclusion, and begin the procedures that apply.

An excluded agency is asked nothing and sees nothing from then on. A duty that it has taken lasts until a second party confirms the
exclusion.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from referral.domain.case import RANK, Proposal, Task, find, open_offers, seats
from referral.domain.entered_times import beside
from referral.domain.events import (
    CaseClosed,
    CaseOpened,
    CaseRaised,
    ChangeKind,
    Consent,
    How,
    Instruction,
    KnockDisowned,
    RecordDisowned,
    ReferralAttached,
    ReferralSubmitted,
    ReferralWithdrawn,
    TrackChanged,
    TrackState,
    Traits,
)
from referral.domain.inputs import RecordLost
from referral.domain.policy.procedure import Marks, Pathway, met
from referral.domain.rules.candidates import choose
from referral.domain.rules.conditions import case_marks, track_marks
from referral.domain.rules.consent import GIVEN
from referral.domain.rules.context import TOP, DecisionContext
from referral.domain.rules.duties import TAKEN, duties
from referral.domain.rules.proposals import DIFFERS, is_desk, is_kept_away, settle, wait
from referral.domain.rules.seats import locate, recall_decisions
from referral.domain.rules.timeouts import knock_anew
from referral.domain.rules.tracks import end_track, seals
from referral.domain.rules.unverified import NOT_CONFIRMED, ask, is_check, is_unverified, unconfirmed

TRACKS = 20
"""Tracks of one case (DESIGN 11)."""
EXERCISE_OVER = "exercise-over"
"""Reason of a withdrawal that ends an exercise at once. Of a real case a withdrawal ends nothing, whatever its reason."""
FOREIGN, NOT_OURS = "foreign", "record-disowned"
"""Reason of a record that somebody else wrote on the topic of routing, and the task that asks a person about one on any topic."""
LISTS = {"found_in": "municipality", "home": "municipality", "age_band": "age-band"}


def submitted(d: DecisionContext, body: ReferralSubmitted) -> None:
    """Handle a referral. The first opens the case; a further one is attached, and its only effect by itself is to make the case more
    urgent."""
    case = d.case
    if not case.opened:
        kept_away = allowed(d, body.excludes, body.traits.found_in)
        _open(d, body.referral_id, body.agency, body.traits, body.consent, kept_away)
        return confirm_desks(d, kept_away, body.agency, None)
    if body.referral_id in case.referrals:
        return d.ignore("REPEATED", referral_id=body.referral_id)
    d.emit(ReferralAttached(why=d.why("same-case"), referral_id=body.referral_id, agency=body.agency))
    away = is_kept_away(d, body.agency)
    if (new := allowed(d, [actor for actor in body.excludes if actor not in case.excluded], case.traits.found_in)) and not away:
        exclude(d, new, body.agency, None)
    if case.closed:
        return d.needs_person("referral-for-closed-case")
    if body.traits.urgency == "emergency" != case.traits.urgency:
        d.change("more-urgent", traits=replace(case.traits, urgency="emergency"))
        if unconfirmed(d.case) is not None:
            open_tracks(d)
    said = d.policy.questions.implied(beside(body.traits, case.traits))
    if away or replace(said, urgency="") != replace(case.traits, urgency=""):
        d.needs_person(DIFFERS)
    return None


def raised(d: DecisionContext, body: CaseRaised) -> None:
    """Open a case that another case has raised."""
    if d.case.opened:
        return d.ignore("REPEATED", referral_id=d.cause.id)
    return _open(d, d.cause.id, d.policy.oversight, body.traits, None, body.excluded)


def _open(d: DecisionContext, referral_id: str, agency: str, traits: Traits, consent: Consent | None, excluded: tuple[str, ...]) -> None:
    """Open the case. Its procedures begin, unless nobody vouches for the sender: then a desk confirms it first."""
    kept_away = tuple(dict.fromkeys((*d.case.excluded, *excluded)))
    d.emit(
        CaseOpened(
            why=d.why("new-case"),
            referral_id=referral_id,
            agency=agency,
            traits=traits,
            consent=consent or d.case.consent,
            excluded=kept_away,
            drill=d.cause.drill,
        )
    )
    imply(d)
    if is_unverified(d, agency):
        ask(d)
        return open_tracks(d)
    return begin(d)


def imply(d: DecisionContext) -> None:
    """Add the flags that the concern implies: a ban that tests one holds although nobody said it. While the concern stays, so do they."""
    if (traits := d.policy.questions.implied(d.case.traits)) != d.case.traits:
        d.change("implied", traits=traits)


def begin(d: DecisionContext) -> None:
    """Begin every procedure that applies to a case; without one, a desk gets the case."""
    open_tracks(d)
    unknown_traits(d)
    if all(is_check(d.policy, track) for track in d.case.tracks):
        d.needs_person("no-pathway", rung=2 if d.case.traits.concern == "rights-violation" else 0)


def confirm(d: DecisionContext, task: Task, word: Instruction) -> None:
    """Handle a desk's answer to a referral that waits to be confirmed: it runs as any other, or the case ends.

    Who was asked to look goes on after a confirmation, and is called off by a refusal.
    """
    if word is Instruction.CONFIRM:
        d.settle(task, "confirmed")
        return begin(d)
    for track in [track for track in d.case.tracks if not track.outcome]:
        end_track(d, track, NOT_CONFIRMED, NOT_CONFIRMED, taken=How.CANCELLED, reason="NOT_CONFIRMED")
    for other in d.case.tasks:
        d.settle(other, "refused")
    return d.emit(CaseClosed(why=d.why(NOT_CONFIRMED), outcome=NOT_CONFIRMED, sealed=seals(d)))


def open_tracks(d: DecisionContext, before: Marks = frozenset(), rule: str = "applies") -> None:
    """Begin every procedure in force that applies and does not run yet. A procedure that has ended begins again only if it did not apply
    before. In a case that waits to be confirmed none begins, but what is done before that (`policy.unverified`)."""
    marks = case_marks(d.case, d.facts.now)
    for pathway in d.policy.unverified if unconfirmed(d.case) is not None else d.policy.current:
        tracks = [t for t in d.case.tracks if t.pathway == pathway.id]
        ran = bool(tracks) and met(pathway.applies, before)
        if ran and tracks[-1].outcome == "consent-withdrawn":
            ran = GIVEN not in marks or GIVEN in before
        if ran or any(not t.outcome for t in tracks) or not met(pathway.applies, marks):
            continue
        if len(d.case.tracks) >= TRACKS:
            return d.needs_person("too-many-tracks")
        open_track(d, pathway, rule)
    return None


def open_track(d: DecisionContext, pathway: Pathway, rule: str, opened_by: str | None = None) -> None:
    """Begin one track, under this procedure as it is in force now."""
    d.emit(
        TrackChanged(
            why=d.why(rule),
            track_id=d.new_id("track"),
            pathway=pathway.id,
            digest=pathway.digest,
            state=TrackState.OPENED,
            paused_by="",
            outcome="",
            opened_by=opened_by,
        )
    )


def unknown_traits(d: DecisionContext) -> None:
    """Open a desk task for a trait code that this policy does not define. Help starts with the traits that it does."""
    traits = d.case.traits
    names = ("concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum")
    codes = [(LISTS.get(name, name), getattr(traits, name)) for name in names]
    codes += [("language", word) for word in traits.languages] + [("flag", flag) for flag in traits.flags]
    codes += [("time", one.code) for one in traits.times]
    if any(code not in d.policy.codes.get(name, ()) for name, code in codes):
        d.needs_person("unknown-traits")


def withdrawn(d: DecisionContext, body: ReferralWithdrawn) -> None:
    """Handle a withdrawal by the sender: it ends nothing for a child, and a desk decides its meaning. Its own exercise the sender ends."""
    if body.referral_id not in d.case.referrals:
        return d.ignore("UNKNOWN_REFERRAL", referral_id=body.referral_id)
    if d.case.drill and body.reason == EXERCISE_OVER:
        return d.ignore("NOTHING_CHANGED") if d.case.closed else end_exercise(d)
    return d.needs_person("referral-withdrawn")


def end_exercise(d: DecisionContext) -> None:
    """End every track, task and offer of an exercise: there is no child whom the end could leave alone."""
    for track in [track for track in d.case.tracks if not track.outcome]:
        end_track(d, track, EXERCISE_OVER, EXERCISE_OVER)
    for task in d.case.tasks:
        d.settle(task, "case-closed")
    d.emit(CaseClosed(why=d.why(EXERCISE_OVER), outcome=EXERCISE_OVER, sealed=seals(d)))


def lost(d: DecisionContext, body: RecordLost) -> None:
    """Open a desk task for a record of this case that can never be read: a person must find out its content."""
    d.needs_person(NOT_OURS if body.reason == FOREIGN else "record-lost")


def disowned(d: DecisionContext, body: RecordDisowned | KnockDisowned) -> None:
    """Open a desk task for a record that somebody else wrote in a service's name. What followed from it stays until a person changes it.

    The machine cannot undo it: people were told, and may have acted.
    """
    d.needs_person(NOT_OURS)


def allowed(d: DecisionContext, actors: Collection[str], found_in: str) -> tuple[str, ...]:
    """Return the actors that may be excluded: of the desk, the supervising body and oversight one is always left to look after the case."""
    found: list[str] = []
    for actor in dict.fromkeys(actors):
        away = {*d.case.excluded, *found, actor}
        if not {f"agency:{desk}" for desk in d.chain_at(found_in)} <= away:
            found.append(actor)
    return tuple(found)


def exclude(d: DecisionContext, actors: Collection[str], agency: str, by: str | None) -> None:
    """Exclude actors, given as kind:id; none of them was excluded before. agency, by: the party that records it.

    A desk among them loses its tasks to the rung above.
    """
    alone = not is_desk(d, agency)
    d.change("recorded", excluded=(*d.case.excluded, *actors))
    for actor in sorted(actors):
        by_duty = any(f"agency:{offer.agency}" == actor for _, _, _, _, offer in duties(d.case, d.policy))
        _end(d, actor, spare=alone)
        if alone and by_duty and not d.case.closed:
            wait(d, ChangeKind.EXCLUSION, agency, by, actor=actor)
    knock_anew(d)
    if alone:
        confirm_desks(d, actors, agency, by)
    for task in d.case.tasks:
        if f"agency:{task.desk}" in actors:
            d.repeat_task(task)
    for _, track, run, _ in tuple(seats(d.case)):
        pathway = d.policy.pinned.get(track.digest)
        step = pathway.step(run.step) if pathway else None
        if step is not None and run.outcome and step.forbid.get(run.outcome) in actors:
            d.needs_person("decision-forbidden", track, run.step)


def confirm_desks(d: DecisionContext, actors: Collection[str], agency: str, by: str | None) -> None:
    """Have an exclusion of one of the case's desks confirmed by the rung above it, which has its tasks now."""
    for rung, desk in enumerate(dict.fromkeys(d.chain)):
        actor = f"agency:{desk}"
        if actor in actors and not d.case.closed and not any(p.actor == actor for p in d.case.proposals):
            wait(d, ChangeKind.EXCLUSION, agency, by, actor=actor, rung=min(rung + 1, TOP))


def confirm_exclusion(d: DecisionContext, proposal: Proposal) -> None:
    """Apply the confirmation of a second party: offers that the actor has taken end, and other agencies are asked."""
    settle(d, proposal, "confirmed")
    _end(d, proposal.actor, spare=False)


def lift(d: DecisionContext, actor: str, rule: str) -> None:
    """Lift an exclusion."""
    d.change(rule, excluded=tuple(one for one in d.case.excluded if one != actor), lifted=(actor,))


def _end(d: DecisionContext, actor: str, *, spare: bool) -> None:
    """End the open offers of an excluded agency. spare: keep the duties that it has taken, and those that no other service can be asked
    for."""
    kept = _spared(d, actor) if spare else frozenset()
    for offer in open_offers(d.case):
        found = find(d.case, offer.offer_id)
        if f"agency:{offer.agency}" == actor and offer.offer_id not in kept and found is not None and not found.offer.how:
            ref, track, run, seat = found.ref, found.track, found.run, found.seat
            d.close(offer, How.CANCELLED, "EXCLUDED", "actor-excluded", track)
            if offer is seat.next:
                d.needs_person("transfer-failed", track, run.step)
            recall_decisions(d, track.track_id, run.step, ref[2], offer.service)


def _spared(d: DecisionContext, actor: str) -> frozenset[str]:
    """Return the offers of an excluded agency that stay open until a second party confirms."""
    found = set()
    for _, _, _, _, offer in duties(d.case, d.policy):
        if f"agency:{offer.agency}" == actor and (RANK[offer.state] >= TAKEN or not _another(d, offer.offer_id)):
            found.add(offer.offer_id)
    return frozenset(found)


def _another(d: DecisionContext, offer_id: str) -> bool:
    """Return True when another service can be asked for the seat of this offer."""
    at = locate(d, offer_id)
    if at is None or at.track.paused_by:
        return False
    marks = track_marks(d.case, at.track, at.pathway, d.policy, d.facts.now)
    choice = choose(d, at.track, at.pathway, at.step, at.run, at.ref[2], marks)
    return choice is not None and choice[0] is not None
