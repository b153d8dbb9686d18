"""Values for tests of the HTCDS door: the shipped policy's lists, the table of fields, and a marked value for every field."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from referral.domain.policy import compile
from services.intake import policy_view
from services.intake.htcds import fields
from services.intake.htcds.fields import Field, Fields
from services.intake.policy_view import Lists

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "htcds-50.csv"
MARKER = "Ëmri-Ћирилица"


@cache
def shipped() -> Lists:
    folder = ROOT / "policy"
    return policy_view.of(compile({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.yaml")}), 1)


@cache
def table() -> Fields:
    return fields.load()


def good(name: str, field: Field) -> str:
    """A value that the field takes; a text is marked."""
    if name == "ref_FoundIn":
        return "prizren"
    plain = {"text": f"{MARKER} {name}", "date": "2012-03-04", "checkbox": "true", "number": "17", "decimal": "41.7777"}
    plain |= {"language": "alb", "country": "XK", "countries": "XK;AL", "actors": "agency:csw-prizren;relation:parent"}
    if name == "ref_Key":
        return "our-4711"
    if name == "ref_Asylum":
        return "not-claimed"  # the first word of the list contradicts the citizenship above
    if field.list:
        return shipped().codes[field.list][0]
    return plain.get(field.type) or next(word for word in field.of if word not in field.refuses)
