"""Which form a caller gets: RFC 9110 §12.5.1, and what was JSON before is JSON still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.api.negotiate import choose

JSON, FHIR = "application/json", "application/fhir+json"
FORMS = (JSON, FHIR)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (FHIR, FHIR),
        ("Application/FHIR+JSON", FHIR),
        (f"{FHIR}; fhirVersion=4.0", FHIR),
        (f'{FHIR};fhirVersion="4.0";charset=utf-8', FHIR),
        (f"{FHIR}; fhirVersion=5.0", None),
        (f"{FHIR}, {JSON}", JSON),
        (f"{FHIR}, {JSON};q=0.9", FHIR),
        (f"{JSON};q=0.5, {FHIR};q=0.501", FHIR),
        (f"{FHIR}, */*;q=0.1", FHIR),
        (f"{JSON};q=0, */*", FHIR),
        (f"{JSON};q=0, application/*;q=0.2, */*;q=0", FHIR),
        (f"{FHIR};q=0, {JSON};q=0", None),
        ("text/html", None),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        (f"{JSON}; indent=4", JSON),
        ("nonsense", JSON),
        (f"{FHIR};q=2", JSON),
        ("*/json", JSON),
        (",,;", JSON),
    ],
)
def test_a_header_and_its_form(accept: str, form: str | None) -> None:
    assert choose(accept, FORMS) == form


@given(st.text(max_size=60) | st.lists(st.sampled_from([JSON, FHIR, "*/*", "text/*", ";q=0.3", ",", "; a=b", "q="])).map("".join))
def test_any_header_is_answered(accept: str) -> None:
    assert choose(accept, FORMS) in (*FORMS, None)
