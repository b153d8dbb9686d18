"""Handle a desk's answer to a proposal: confirm or refuse it. Two persons of a desk are needed to lift an exclusion."""

from __future__ import annotations

from collections.abc import Callable

from referral.domain.case import Proposal
from referral.domain.events import ChangeKind, Instruction, InstructionGiven
from referral.domain.rules.complaints import answered, proposed
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.proposals import settle, wait
from referral.domain.rules.referrals import confirm, confirm_exclusion
from referral.domain.rules.referrals import lift as lift_now
from referral.domain.rules.unverified import unconfirmed
from referral.domain.rules.updates import confirm_consent, confirm_traits


def answer(d: DecisionContext, body: InstructionGiven) -> None:
    """Handle CONFIRM or REFUSE, of a proposed complaint, of a referral that nobody vouches for, or of a proposed change.

    The confirmation of a proposal needs a second party: an agency other than the proposer; for lifting an exclusion, another person of the
    desk.
    """
    if (complaint := proposed(d.case, body.task_id)) is not None:
        return answered(d, complaint, body)
    task = unconfirmed(d.case)
    if task is not None and task.task_id == body.task_id:
        return confirm(d, task, body.word)
    proposal = next((p for p in d.case.proposals if p.task_id == body.task_id), None)
    if proposal is None:
        return d.ignore("UNKNOWN_TASK")
    if body.word is Instruction.REFUSE:
        settle(d, proposal, "refused")
        return lift_now(d, proposal.actor, "refused") if proposal.kind == ChangeKind.EXCLUSION.value else None
    if not _is_second(proposal, body):
        return d.ignore("SAME_PARTY")
    return CONFIRMS[ChangeKind(proposal.kind)](d, proposal)


def lift(d: DecisionContext, body: InstructionGiven) -> None:
    """Propose or confirm the lifting of an exclusion. Target: an excluded actor, as kind:id. The second person who orders it lifts it."""
    if body.target not in d.case.excluded:
        return d.ignore("NOT_EXCLUDED")
    if body.by is None:
        return d.ignore("NEEDS_ACCOUNT")
    known = next((p for p in d.case.proposals if (p.kind, p.actor) == (ChangeKind.LIFT.value, body.target)), None)
    if known is None:
        return wait(d, ChangeKind.LIFT, body.agency, body.by, actor=body.target)
    return _lifted(d, known) if _is_second(known, body) else d.ignore("SAME_PARTY")


def _is_second(proposal: Proposal, body: InstructionGiven) -> bool:
    """Return True when the order comes from a second party."""
    if proposal.kind == ChangeKind.LIFT.value:
        return body.by is not None and body.by != proposal.by
    return body.agency != proposal.agency


def _lifted(d: DecisionContext, proposal: Proposal) -> None:
    """Lift the exclusion, and settle every other proposal about the same actor."""
    for known in d.case.proposals:
        if known.actor == proposal.actor:
            settle(d, known, "confirmed" if known is proposal else "refused")
    lift_now(d, proposal.actor, "lifted")


CONFIRMS: dict[ChangeKind, Callable[[DecisionContext, Proposal], None]] = {
    ChangeKind.TRAITS: confirm_traits,
    ChangeKind.CONSENT: confirm_consent,
    ChangeKind.EXCLUSION: confirm_exclusion,
    ChangeKind.LIFT: _lifted,
}
