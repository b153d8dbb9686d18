"""Who may read: the rule, and what ends it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from referral.domain.events import Consent, ConsentState
from services.intake.casefile.disclosure_rules import Grant, Reader, readable

SHOWS = ("identity", "contact", "medical")
GRANT = Grant(agency="police", shows=SHOWS, skip=(), open=True, declined=False, withdrawal="stop")
READER = Reader(agency="police", account="a-1")


def consent(state: ConsentState = ConsentState.GIVEN, **more: Any) -> Consent:
    return Consent(**{"state": state, "basis": "consent", "giver": "person", "scope": (), "recipients": (), "until": None} | more)


def test_an_open_offer_lets_its_agency_read_what_it_names() -> None:
    assert readable(READER, GRANT, None, (), 1) == SHOWS
    assert readable(Reader(agency="csw"), GRANT, None, (), 1) == ()


def test_each_of_these_ends_it() -> None:
    assert readable(READER, structs.replace(GRANT, open=False), None, (), 1) == ()
    assert readable(READER, structs.replace(GRANT, declined=True), None, (), 1) == ()
    assert readable(READER, GRANT, None, {("AGENCY", "police")}, 1) == ()
    assert readable(READER, GRANT, None, {("STAFF", "a-1")}, 1) == ()
    assert readable(READER, structs.replace(GRANT, skip=("a-1",)), None, (), 1) == ()
    assert readable(READER, GRANT, consent(ConsentState.WITHDRAWN), (), 1) == ()
    assert readable(READER, GRANT, consent(ConsentState.REFUSED), (), 1) == ()
    assert readable(READER, GRANT, consent(until=5), (), 5) == ()
    assert readable(READER, GRANT, consent(recipients=("csw",)), (), 1) == ()


def test_these_do_not() -> None:
    assert readable(READER, GRANT, None, {("AGENCY", "csw"), ("STAFF", "a-2"), ("RELATION", "parent")}, 1) == SHOWS
    assert readable(READER, GRANT, consent(ConsentState.NOT_ASKED), (), 1) == SHOWS
    assert readable(READER, GRANT, consent(scope=("medical", "narrative"), recipients=("police",), until=5), (), 4) == ("medical",)


@given(st.sampled_from(ConsentState), st.sets(st.sampled_from(SHOWS)), st.none() | st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_a_consent_only_ever_narrows_and_a_legal_duty_is_not_touched_by_it(
    state: ConsentState, scope: set[str], until: int | None, now: int, law: bool
) -> None:
    agreed = consent(state, scope=tuple(scope), until=until)
    found = readable(READER, structs.replace(GRANT, withdrawal="continue" if law else "stop"), agreed, (), now)
    assert set(found) <= set(SHOWS)
    if law:
        assert found == SHOWS
    assert readable(READER, structs.replace(GRANT, withdrawal="continue" if law else "stop"), agreed, {("AGENCY", "police")}, now) == ()


@given(st.sampled_from(ConsentState), st.sets(st.sampled_from(SHOWS)), st.none() | st.integers(0, 9), st.integers(0, 9))
def test_what_goes_on_anonymously_shows_nothing_that_tells_who_it_is(
    state: ConsentState, scope: set[str], until: int | None, now: int
) -> None:
    agreed = consent(state, scope=tuple(scope), until=until)
    grant = structs.replace(GRANT, withdrawal="anonymous", bare=("medical",))
    over = state in (ConsentState.WITHDRAWN, ConsentState.REFUSED) or (until is not None and until <= now)
    with_consent = readable(READER, structs.replace(GRANT, withdrawal="stop"), agreed, (), now)
    assert readable(READER, grant, agreed, (), now) == (("medical",) if over else with_consent)
    assert readable(READER, grant, agreed, {("STAFF", "a-1")}, now) == ()
