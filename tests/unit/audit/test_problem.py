"""The log's refusals are those of every other door."""

from __future__ import annotations

import msgspec

from referral.runtime.http_message import document
from services.audit import api


def test_a_refusal_of_the_log_is_the_problem_of_every_door() -> None:
    """It had `about:blank` and no hint: a client of the line met two dialects."""
    answer = api.soon("no published checkpoint covers an event of this id yet")
    assert answer.body == document(404, "not-logged-yet", "no published checkpoint covers an event of this id yet")
    assert (answer.media_type, answer.headers["retry-after"]) == ("application/problem+json", "1")
    assert msgspec.json.decode(answer.body)["hint"]
