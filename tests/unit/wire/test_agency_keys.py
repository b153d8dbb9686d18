"""When an agency's key begins to count: the first at once, a changed one after a day or with an older key's word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.policy.directory import Signing, SigningKey
from referral.domain.policy.reading.agencies import signing_key
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire.signed.agency_keys import DELAY_US, AgencyKeys, after, statement

SECRETS = [SignerKey("school", ED25519, bytes([seed]) * 32) for seed in range(1, 5)]
HOUR = DELAY_US // 24


def public(secret: SignerKey) -> SigningKey:
    found = signing_key(secret.verifier.encode().decode())
    assert found is not None
    return found


A, B, C, D = map(public, SECRETS)


def lived(*bundles: tuple[int, Signing | None]) -> AgencyKeys:
    """The school's keys after these bundles, each with its time; None: the directory does not have the school."""
    keys: dict[str, AgencyKeys] = {}
    for at, signing in bundles:
        keys = after(keys, {} if signing is None else {"school": signing}, at)
    return keys["school"]


def listing(*keys: SigningKey, must: bool = True, vouched: tuple[bytes, ...] = ()) -> Signing:
    return Signing(must=must, keys=keys, vouched=vouched)


def test_the_first_keys_of_an_agency_count_at_once() -> None:
    assert lived((5, Signing()), (10, listing(A, B))).at(0) == listing(A, B)
    assert after({}, {"school": Signing()}, 1) == {}


def test_a_changed_key_counts_after_a_day_and_the_one_that_is_taken_out_ends_at_once() -> None:
    keys = lived((0, listing(A)), (HOUR, listing(B)))
    assert keys.at(HOUR).keys == keys.at(HOUR + DELAY_US - 1).keys == () and keys.at(HOUR).must
    assert keys.at(HOUR + DELAY_US).keys == (B,)
    assert list(keys.later(HOUR)) == [B]


def test_ten_seconds_are_not_a_day_however_often_they_come() -> None:
    bundles = [(0, listing(A))]
    for hour in range(1, 60, 2):
        bundles += [(hour * HOUR, listing(A, B)), (hour * HOUR + 10_000_000, listing(A))]
    assert lived(*bundles, (60 * HOUR, listing(A, B))).at(60 * HOUR).keys == (A,)


@pytest.mark.parametrize("gone", [Signing(), None, listing(A, must=False)], ids=["no keys", "no agency", "no duty"])
def test_no_way_round_leads_to_a_new_agency(gone: Signing | None) -> None:
    keys = lived((0, listing(A)), (HOUR, gone), (2 * HOUR, listing(B)))
    assert keys.at(2 * HOUR) == listing(must=True) and keys.at(2 * HOUR + DELAY_US).keys == (B,)


def test_the_duty_to_sign_ends_a_day_after_it_was_lifted() -> None:
    for lifted in (Signing(), listing(A, must=False), None):
        keys = lived((0, listing(A)), (HOUR, lifted))
        assert keys.at(HOUR + DELAY_US - 1).must and not keys.at(HOUR + DELAY_US).must
    assert not lived((0, listing(A, must=False)), (HOUR, listing(A, must=False))).at(HOUR).must


def test_an_older_key_that_counts_vouches_for_the_new_one() -> None:
    word = SECRETS[0].sign(statement(B), 0)
    assert lived((0, listing(A)), (HOUR, listing(B, vouched=(word,)))).at(0).keys == (B,)
    for wrong in (SECRETS[1].sign(statement(B), 0), SECRETS[0].sign(statement(C), 0), bytes(64)):
        assert lived((0, listing(A)), (HOUR, listing(B, vouched=(wrong,)))).at(HOUR).keys == ()


def test_a_key_that_does_not_count_yet_vouches_for_nobody() -> None:
    word = SECRETS[1].sign(statement(C), 0)
    early = lived((0, listing(A)), (HOUR, listing(A, B)), (2 * HOUR, listing(A, C, vouched=(word,))))
    assert early.at(2 * HOUR).keys == (A,)
    late = lived((0, listing(A)), (HOUR, listing(A, B)), (HOUR + DELAY_US, listing(B, C, vouched=(word,))))
    assert late.at(HOUR + DELAY_US).keys == (B, C)


@given(st.lists(st.tuples(st.integers(1, 3 * DELAY_US), st.sets(st.sampled_from([B, C, D])), st.booleans(), st.booleans()), max_size=8))
def test_nothing_that_is_listed_for_less_than_a_day_counts(steps: list[tuple[int, set[SigningKey], bool, bool]]) -> None:
    """A property: after the first bundle, a key counts only if it has been listed without a break for a day, or since the first bundle."""
    at, bundles, since = 0, [(0, listing(A))], {A: 0}
    for wait, others, first, must in steps:
        at += wait
        keys = (*([A] if first else []), *sorted(others, key=lambda key: key.id))
        bundles.append((at, listing(*keys, must=must and bool(keys))))
        since = {key: since.get(key, at) for key in keys}
    counting = lived(*bundles).at(at).keys
    assert set(counting) == {key for key, began in since.items() if at - began >= DELAY_US or (key == A and began == 0)}
