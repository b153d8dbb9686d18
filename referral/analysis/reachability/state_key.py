"""Reduce a case to a key without times and names: two cases with the same key go on alike, while the agencies that are
asked answer well."""

from __future__ import annotations

from collections.abc import Iterable

from referral.domain.case import Case, Run, Seat, Track
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from referral.domain.rules.telephone import CALLS

View = tuple[object, ...]
ROUNDS = 3
"""Rounds of a step that are told apart (ours): the fourth review goes on as the third does."""


class Views:
    """Makes keys. It keeps those of rounds, because few rounds change in one decision."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._rounds: dict[int, tuple[Run, View]] = {}

    def of(self, case: Case) -> View:
        """Return the key: everything but times, ids and the holders of taken seats. An agency tried before counts only while it may be
        asked again.

        A telephone call at a desk is part of its offer, and not counted separately.
        """
        tasks = frozenset((task.about, task.step, task.seat) for task in case.tasks if task.about not in CALLS)
        return (tuple([self._track(track) for track in case.tracks]), tasks, case.closed)

    def _track(self, track: Track) -> View:
        pathway = self._policy.pinned[track.digest]
        named, rounds = _mentioned(pathway), self._rounds
        found = []
        for run in track.runs:
            known = rounds.get(id(run))
            if known is None:
                known = rounds[id(run)] = (run, _run(run, named))
            found.append(known[1])
        return pathway.id, track.outcome, track.paused_by, tuple(found)


def mentioned(pathway: Pathway) -> frozenset[str]:
    """Return the marks of missed acknowledgements that a procedure tests; one that it does not test has no effect."""
    groups: list[Iterable[str]] = [group for change in pathway.changes for group in change.when]
    for step in pathway.steps:
        groups += [step.after, step.at_once, step.again, step.unless, step.until, *step.when]
    return frozenset(mark for group in groups for mark in group if mark.endswith("-missed"))


_known: dict[str, frozenset[str]] = {}


def _mentioned(pathway: Pathway) -> frozenset[str]:
    if pathway.digest not in _known:
        _known[pathway.digest] = mentioned(pathway)
    return _known[pathway.digest]


def _run(run: Run, looked_at: frozenset[str]) -> View:
    seats = tuple(_seat(run, seat, looked_at) for seat in run.seats)
    return run.step, min(run.round, ROUNDS), run.verdict, run.outcome, seats


def _seat(run: Run, seat: Seat, looked_at: frozenset[str]) -> View:
    offer, silent = seat.offer, f"{run.step}.acknowledge-missed"
    unseen = silent in looked_at and any(o.how == "EXPIRED" and o.state == "OFFERED" for o in seat.past)
    marks = (unseen, *(what for what in seat.missed if f"{run.step}.{what}-missed" in looked_at))
    state = None if offer is None else (offer.state, offer.how)
    tried = () if run.outcome or offer is not None else tuple(o.service for o in seat.past)
    return state, seat.code, seat.next is not None, marks, tried
