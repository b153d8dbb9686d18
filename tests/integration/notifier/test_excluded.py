"""Whoever is kept away from a case is not knocked for it: from the beginning, and from the moment of an exclusion on."""

from __future__ import annotations

from msgspec import Struct

from referral.domain.events import CaseChanged, CaseOpened, KnockSent, NeedsPerson, OfferAccepted, RungFailed, SectionWritten
from referral.domain.events import Traits as Traits_
from referral.roster import changes as roster
from tests.harness import smtp
from tests.harness.line.notifier_stack import WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until

TRAITS = Traits_(**{n: () if n in ("languages", "flags") else "" for n in Traits_.__struct_fields__})


def excluding(*accounts: str) -> Struct:
    kept_away = (*(f"staff:{account}" for account in accounts), "relation:parent")
    return CaseChanged(why=WHY, traits=TRAITS, excluded=kept_away, consent_by="")


async def test_a_person_disabled_or_excluded_after_planning_hears_nothing(notifier: Stack, relay: smtp.Relay) -> None:
    disabled, excluded = await notifier.person("a"), await notifier.person("b")
    case, offer = await notifier.case(), opened()
    await notifier.tell(case, offer)
    async with notifier.admin.begin() as tx:
        await roster.set_disabled(tx, disabled, True)
    await notifier.tell(case, excluding(excluded))
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 2))
    assert relay.letters == []
    assert [e.reason for e in of(await notifier.drain(), RungFailed)] == ["all-excluded"]
    later = opened()
    await notifier.tell(case, later)
    assert [e.reason for e in of(notifier.said, RungFailed) if e.offer_id == later.offer_id] == ["all-excluded"]


async def test_one_excluded_while_the_offer_is_open_leaves_it_to_the_others_of_the_rung(notifier: Stack, relay: smtp.Relay) -> None:
    excluded, other = await notifier.person("a"), await notifier.person("b")
    case, offer = await notifier.case(), opened()
    await notifier.tell(case, offer)
    await notifier.tell(case, excluding(excluded))
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 3))
    assert {k.person for k in of(await notifier.drain(), KnockSent)} == {other}
    await notifier.tell(case, excluding(excluded))
    assert len(await notifier.states()) == 3, "the same exclusion again wakes nobody"


async def test_where_only_the_excluded_one_was_told_the_rung_fails_at_once(notifier: Stack, relay: smtp.Relay) -> None:
    excluded = await notifier.person("a")
    case, offer = await notifier.case(), opened()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
        await notifier.tell(case, excluding(excluded))
    assert [(e.rung, e.reason) for e in of(await notifier.drain(), RungFailed)] == [(0, "all-excluded")]
    assert len(relay.letters) == 1


async def test_who_ended_the_knocking_and_is_then_excluded_leaves_it_to_the_others(notifier: Stack, relay: smtp.Relay) -> None:
    """Routing ignores that answer, and nobody was reminded until the limit."""
    excluded, other = await notifier.person("a"), await notifier.person("b")
    case, offer = await notifier.case(), opened()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: ended(notifier, 2))
        await notifier.rows("UPDATE notifier.delivery SET word = 'LOOKS' WHERE person = :who", who=excluded)
        await notifier.rows("UPDATE notifier.asked SET state = 'ANSWERED', next_at = NULL, handover = NULL")
        await notifier.drain()
        await notifier.tell(case, excluding(excluded))
        await until(lambda: ended(notifier, 3))
    heard = [k.person for k in of(await notifier.drain(), KnockSent)]
    assert (heard.count(excluded), heard.count(other)) == (1, 2)


async def test_a_section_that_is_read_late_is_knocked_for_all_the_same(notifier: Stack, relay: smtp.Relay) -> None:
    """The notifier had been away for ten minutes, and whoever had accepted was never told what another agency had written meanwhile."""
    await notifier.person("a")
    case, offer = await notifier.case(), opened()
    accepted = OfferAccepted(why=WHY, offer_id=offer.offer_id, by=None, late=False, due=None, due_what="")
    written = SectionWritten(section="location", version=2, agency="school", by=None, content=bytes(32), offers=(offer.offer_id,), at=0)
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: ended(notifier, 1))
        await notifier.tell(case, accepted)
        await notifier.tell(case, written, age=600 * 1_000_000)
        await notifier.due(case)
        await until(lambda: ended(notifier, 2))


async def test_one_excluded_from_the_beginning_hears_of_no_offer_and_of_no_task(notifier: Stack, relay: smtp.Relay) -> None:
    excluded, other = await notifier.person("a"), await notifier.person("b")
    case, task = await notifier.case(), "00000000-0000-4000-8000-00000000000a"
    begun = CaseOpened(why=WHY, referral_id=task, agency="school", traits=TRAITS, excluded=(f"staff:{excluded}",), drill=False)
    needs = NeedsPerson(why=WHY, task_id=task, desk="police", about="no-candidate", track_id=None, step="", seat=-1, rung=0, due=None)
    await notifier.tell(case, begun, opened(skip=()))
    await notifier.tell(case, needs)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 2))
    assert [k.person for k in of(await notifier.drain(), KnockSent)] == [other, other]
