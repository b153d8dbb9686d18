"""Read `reviews.yaml`: who has read which text. A review is of a text as it was: once the text has changed, nobody has read it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date

from referral.domain.policy.reading.reader import Node, Reader, allowed
from referral.domain.policy.reviews import Review

FILE = "reviews.yaml"
REVIEWED = ("guidance/", "pathways/", "unverified/")
"""Beginnings of the files that are reviewed: what people are told to do, and the order in which agencies are asked."""
OFFICE = 120
"""Characters of an office's name (ours): one line of a phone twice."""


def reviewable(path: str) -> bool:
    """Return True for a text of guidance and for a procedure."""
    return path.startswith(REVIEWED) and path != "guidance/sources.yaml"


def digest(text: bytes) -> str:
    """Return what a review names a text by: its SHA-256, hex."""
    return hashlib.sha256(text).hexdigest()


def read_reviews(reader: Reader) -> Mapping[str, Review]:
    """Return path → review, of the files that are still as they were reviewed; empty without such a file."""
    if FILE not in reader.files:
        return {}
    found: dict[str, Review] = {}
    texts = [path for path in reader.files if reviewable(path)]
    for path, node in reader.open(FILE).fields(("reviews",))["reviews"].items():
        if path not in texts:
            node.key_error(f"{path} is no text of guidance and no procedure of this policy; {allowed(path, texts)}")
            continue
        get = node.fields(("of",), ("read", "confirmed", "office"))
        review = Review(read=_day(get["read"]), confirmed=_day(get["confirmed"]), office=get["office"].word(what="office").strip())
        if review.read and not path.startswith("guidance/"):
            get["read"].error("read is for a text of guidance, which is in one language; for a procedure: confirmed and office")
        if bool(review.confirmed) != bool(review.office):
            node.error("confirmed: a day, and office: a name, stand together: an office confirms on a day")
        if len(review.office) > OFFICE:
            get["office"].error(f"the name has {len(review.office)} characters; at most {OFFICE}")
        if get["of"].word(what="digest") == digest(reader.files[path]):
            found[path] = review
    return found


def _day(node: Node) -> str:
    written = node.word(what="day") if node.there() else ""
    try:
        if written and date.fromisoformat(written).isoformat() != written:
            raise ValueError
    except ValueError:
        node.error("a day is a day of the calendar, written 2026-12-01")
    return written
