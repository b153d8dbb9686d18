"""The overview's figures: every open step counted once, the late ones first, and a case found by its number alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from referral.domain.case_number import case_number
from services.intake.model import Spot
from services.intake.pages import tally
from tests.unit.intake.test_pages import MINUTE, NOW, SAY, name, offer

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
    found = tally.tally(offers, "police-prizren", spots, {}, BANDS, SAY, name, NOW)
    waits = [one for one in offers if one.closed_at is None and one.declined_by is None and one.kind != "NOTIFY"]
    assert sum(total for _, _, total in found.steps) == len(found.rows) == len(waits)
    assert all(sum(counts) <= total for _, counts, total in found.steps)
    assert sum(sum(counts) for _, counts, _ in found.steps) == sum(one.case_id in bands for one in waits)
    assert found.late == sum(one.due == NOW - MINUTE for one in waits)
    assert [row.time is not None and row.time.tone == "late" for row in found.rows] == [n < found.late for n in range(len(waits))]
    assert found.begun == len({one.case_id for one in offers})
    assert found.ended == len({one.case_id for one in offers} - {one.case_id for one in offers if one.closed_at is None})


def test_a_desk_reads_which_office_has_a_step_and_an_agency_which_colleague() -> None:
    offers = [
        offer(offer_id="own", state="ACCEPTED"),
        offer(offer_id="phone", agency="csw-leposaviq", reach="PHONE"),
        offer(offer_id="other", agency="csw-peje", state="ACCEPTED"),
    ]
    rows = {
        row.who: row for row in tally.tally(offers, "police-prizren", {}, {"own": "a.made-up", "other": "b"}, BANDS, SAY, name, NOW).rows
    }
    assert (rows["a.made-up"].href, rows["a.made-up"].state) == ("/offers/own", "Accepted by your agency")
    assert (rows["agency:csw-leposaviq"].href, rows["agency:csw-leposaviq"].state) == ("/calls/phone", "asked, no answer yet")
    assert (rows["agency:csw-peje"].href, rows["agency:csw-peje"].state) == ("", "accepted")


def test_a_number_finds_its_case_alone() -> None:
    cases = [f"case {n}" for n in range(200)]
    assert all(tally.matches(case_number(case), cases) == {case} for case in cases)
