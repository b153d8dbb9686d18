"""A case's state at rest: sealed under the case's key, and loadable by every later release."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidTag

from referral.domain.case import Case, next_due, open_offers
from referral.wire import case_state
from tests.harness.audit_log import Log, story

GOLDEN = Path(__file__).parents[1] / "golden"
"""One state per release, as that release stored it before sealing. Never rewritten: a newer release must load it."""


def test_a_state_opens_only_with_its_key_and_for_its_case() -> None:
    log = Log()
    case = log.cases[story(log)]
    sealed = case_state.seal(b"k" * 32, case, b"n" * 12)
    assert case_state.unseal(b"k" * 32, case.case_id, sealed) == case
    assert case.traits.found_in.encode() not in sealed
    for key, case_id in ((b"x" * 32, case.case_id), (b"k" * 32, "another")):
        with pytest.raises(InvalidTag):
            case_state.unseal(key, case_id, sealed)


def test_the_state_of_every_release_still_loads() -> None:
    files = sorted(GOLDEN.glob("case-*.msgpack"))
    assert files
    for path in files:
        case = case_state.load(path.read_bytes())
        assert case.opened and case.tracks and open_offers(case) and next_due(case), path.name
        assert case_state.load(msgspec.msgpack.encode(case)) == case


def test_a_state_without_the_fields_of_a_newer_release_has_their_defaults() -> None:
    assert case_state.load(msgspec.msgpack.encode({"case_id": "c"})) == Case(case_id="c")
