"""What /openapi.json says to generators of clients, without a server."""

from __future__ import annotations

import re
from typing import Any, cast

from services.intake.api import openapi, routes
from services.intake.api.schemas import signed
from services.intake.model import Receipt
from tests.harness.erased import KEY

DOCUMENT = openapi.document(routes.operations(cast(Any, None)), "1")
SIGNED = ("received_at", "logged_by")


def test_a_typed_client_keeps_what_is_signed_as_it_stands_in_the_json() -> None:
    """A time type of Go writes …607600Z as .6076Z, and the signature of one receipt in ten failed."""
    found = signed(Receipt(kind="x", id="i", case_id="c", event_id="e", received_at=1_700_000_000_607_600), KEY)
    checked = 0
    for name, schema in DOCUMENT["components"]["schemas"].items():
        fields = schema.get("properties", {})
        for field in SIGNED if "signature" in fields else ():
            kind = fields[field]
            assert "format" not in kind and re.fullmatch(kind["pattern"], found[field]), f"{name}.{field}"
            checked += 1
    assert checked >= 8
    assert DOCUMENT["components"]["schemas"]["ReferralState"]["properties"]["received_at"]["format"] == "date-time", (
        "that is signed nowhere"
    )


def test_every_command_says_what_its_key_is_for() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in [operation for method, operation in methods.items() if method == "post"]:
            [key] = [one for one in operation["parameters"] if one["name"] == "Idempotency-Key"]
            assert "Needed with JSON" in key["description"] if path == "/v1/referrals" else "taken twice" in key["description"], path
