"""Turn the state of one case into bytes and back, so that a start need not read its records again. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from sys import intern

import msgspec
from msgspec import Struct

from services.oversight.counting.state import Case, Offer, Run, Stay


class SavedRun(Struct, frozen=True, array_like=True):
    """A `Run`. times: in the order of facts, µs UTC."""

    pathway: str
    began_at: int
    timed: bool
    traits: tuple[str, str, str]
    facts: Sequence[str]
    times: Sequence[int]


class SavedOffer(Struct, frozen=True, array_like=True):
    """An `Offer`. run: index of its run among those of the case."""

    run: int
    agency: str
    answered: bool
    notice: bool
    beds: bool
    arrives: bool
    stay: int


class SavedCase(Struct, frozen=True, array_like=True):
    """A `Case`, in which tracks and offers name their run by its index; and met: what could not be counted of it, (word, µs UTC)."""

    since: int
    back: bool
    joined: int
    withdrawn: int
    traits: tuple[str, str, str]
    runs: Sequence[SavedRun]
    raised: Sequence[str]
    stays: Sequence[tuple[str, int, int]]
    tracks: Mapping[str, int] | None
    offers: Mapping[str, SavedOffer] | None
    met: Sequence[tuple[str, int]]

    def __repr__(self) -> str:
        return "SavedCase()"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SavedCase).decode


def dump(case: Case, met: Sequence[tuple[str, int]]) -> bytes:
    """Return the state of a case, and what could not be counted of it."""
    at = {id(run): number for number, run in enumerate(case.runs)}
    offers = case.offers
    return _encode(
        SavedCase(
            since=case.since,
            back=case.back,
            joined=case.joined,
            withdrawn=case.withdrawn,
            traits=case.traits,
            runs=[_run(run) for run in case.runs],
            raised=case.raised,
            stays=[(stay.service, stay.since, stay.until) for stay in case.stays],
            tracks=None if case.tracks is None else {name: at[id(run)] for name, run in case.tracks.items()},
            offers=None if offers is None else {name: _offer(offer, at[id(offer.run)]) for name, offer in offers.items()},
            met=met,
        )
    )


def load(case_id: str, data: bytes) -> tuple[Case, list[tuple[str, int]]]:
    """Return what `dump` was given. msgspec.DecodeError: it is something else."""
    saved = _decode(data)
    case = Case(case_id)
    case.since, case.back, case.joined, case.withdrawn = saved.since, saved.back, saved.joined, saved.withdrawn
    case.traits = _words(saved.traits)
    case.runs = tuple(_run_of(case, one) for one in saved.runs)
    case.raised = tuple(saved.raised)
    case.stays = tuple(_stay_of(*one) for one in saved.stays)
    case.tracks = None if saved.tracks is None else {name: case.runs[run] for name, run in saved.tracks.items()}
    case.offers = None if saved.offers is None else {name: _offer_of(case, one) for name, one in saved.offers.items()}
    return case, [(intern(word), at) for word, at in saved.met]


def _run(run: Run) -> SavedRun:
    return SavedRun(run.pathway, run.began_at, run.timed, (run.municipality, run.sex, run.age_band), run.facts, list(run.times))


def _run_of(case: Case, saved: SavedRun) -> Run:
    run = Run(case, saved.pathway, saved.began_at)
    run.timed = saved.timed
    run.municipality, run.sex, run.age_band = _words(saved.traits)
    run.facts, run.times = [intern(fact) for fact in saved.facts], array("q", saved.times)
    return run


def _offer(offer: Offer, run: int) -> SavedOffer:
    return SavedOffer(run, offer.agency, offer.answered, offer.notice, offer.beds, offer.arrives, offer.stay)


def _offer_of(case: Case, saved: SavedOffer) -> Offer:
    offer = Offer.__new__(Offer)  # the event that began it is not there any more
    offer.run, offer.agency, offer.answered, offer.stay = case.runs[saved.run], intern(saved.agency), saved.answered, saved.stay
    offer.notice, offer.beds, offer.arrives = saved.notice, saved.beds, saved.arrives
    return offer


def _stay_of(service: str, since: int, until: int) -> Stay:
    stay = Stay(service, since)
    stay.until = until
    return stay


def _words(traits: tuple[str, str, str]) -> tuple[str, str, str]:
    return intern(traits[0]), intern(traits[1]), intern(traits[2])
