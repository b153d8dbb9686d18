"""The overview's figures: every open step counted once, the late ones first, and a case found by its number alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from referral.domain.case_number import case_number
from services.intake.model import Spot
from services.intake.pages import overview
from tests.unit.intake.test_pages import MINUTE, NOW, offer

BANDS = ("unknown", "0-5", "6-11", "12-14")
OFFERS = st.lists(
    st.tuples(
        st.sampled_from(("c1", "c2", "c3")),
        st.sampled_from(("police", "risk")),
        st.sampled_from(("REQUEST", "NOTIFY")),
        st.sampled_from((None, NOW)),
        st.sampled_from((None, "e")),
        st.sampled_from((None, NOW - MINUTE, NOW + MINUTE)),
    ),
    max_size=12,
)


@given(OFFERS, st.dictionaries(st.sampled_from(("c1", "c2", "c3")), st.sampled_from(BANDS)))
def test_every_open_step_is_counted_once(
    drawn: list[tuple[str, str, str, int | None, str | None, int | None]], bands: dict[str, str]
) -> None:
    offers = [
        offer(offer_id=f"o{n}", case_id=case, step=step, kind=kind, closed_at=closed, declined_by=declined, due=due)
        for n, (case, step, kind, closed, declined, due) in enumerate(drawn)
    ]
    spots = {case: Spot(age_band=band) for case, band in bands.items()}
    waits = overview.open_steps(offers, NOW)
    counted, steps = overview.tally(waits, spots)
    assert {one.offer_id for one in waits} == {
        one.offer_id for one in offers if one.closed_at is None and one.declined_by is None and one.kind != "NOTIFY"
    }
    assert sum(total for _, total in steps) == sum(counted.values()) == len(waits)
    assert sum(number for (_, band), number in counted.items() if band) == sum(one.case_id in bands for one in waits)
    late = [one.due is not None and one.due <= NOW for one in waits]
    assert late == sorted(late, reverse=True), "what is late stands first"


def test_a_number_finds_its_case_alone() -> None:
    cases = [f"case {n}" for n in range(200)]
    assert all(overview.matching(case_number(case), cases) == {case} for case in cases)
