"""Signing in, without a database: throttle, sessions, marks, passwords, and the way back out of the sign-in page."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections import Counter
from functools import partial
from urllib.parse import urlencode

import argon2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from referral.domain.durations import SECOND_US
from referral.errors import Rejected
from referral.runtime import passwords, random_secret
from services.intake.accounts import rules
from services.intake.accounts.rules import ADDRESS_LIMIT, GAP_US, LINE_MOST, PAIR_LIMIT, SITE_TIMES, SLOW_AFTER, WINDOW_US, Failures
from services.intake.pages import forms

NOW = 1_764_036_000_000_000
S = SECOND_US
times = st.lists(st.integers(NOW - 2 * WINDOW_US, NOW), max_size=70).map(tuple)


@given(times, times, times)
def test_a_throttled_sign_in_is_free_when_its_wait_is_over_and_not_before(
    pair: tuple[int, ...], login: tuple[int, ...], address: tuple[int, ...]
) -> None:
    failures = Failures(pair=pair, login=login, address=address)
    seconds = rules.wait(failures, NOW)
    assert 0 <= seconds <= WINDOW_US // S
    assert rules.wait(failures, NOW + seconds * S) == 0
    assert seconds <= 1 or rules.wait(failures, NOW + (seconds - 1) * S) > 0


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("pair", PAIR_LIMIT),
        ("address", ADDRESS_LIMIT),
        ("site_pair", PAIR_LIMIT * SITE_TIMES),
        ("site", ADDRESS_LIMIT * SITE_TIMES),
    ],
)
def test_each_limit_stops_at_its_number(kind: str, limit: int) -> None:
    assert rules.wait(Failures(**{kind: (NOW - S,) * (limit - 1)}), NOW) == 0
    assert rules.wait(Failures(**{kind: (NOW - S,) * limit}), NOW) == WINDOW_US // S - 1


@given(st.lists(st.integers(0, 3 * S), min_size=1, max_size=300))
@example([0] * 200)
@example([S] * 200)
def test_a_login_has_one_line_wherever_its_attempts_come_from(gaps: list[int]) -> None:
    """However they arrive, in any minute at most 35 passwords of a login are checked, and nobody waits behind more than LINE_MOST."""
    now, free_at, failed, checked = NOW, 0, list[int](), list[int]()
    for gap in gaps:
        now += gap
        at, next_at = rules.turn(Failures(login=tuple(failed)), free_at, now)
        if rules.refused(at, now):
            assert at - now > LINE_MOST * GAP_US
            continue
        free_at = next_at
        failed.append(now)
        checked.append(at)
    assert all(sum(first <= at < first + 60 * S for at in checked) <= SLOW_AFTER + 60 * S // GAP_US for first in checked)


def test_an_attempt_that_is_refused_is_told_when_the_line_is_shorter() -> None:
    at = NOW + (LINE_MOST + 3) * GAP_US
    assert rules.refused(at, NOW) == 3 * GAP_US // S and rules.refused(at, NOW + 3 * GAP_US) == 0


def test_a_subscriber_of_ipv6_is_one_address_and_a_site_is_counted_too() -> None:
    assert rules.network("2001:db8:1:2::7") == rules.network("2001:db8:1:2:ffff::9") != rules.network("2001:db8:1:3::7")
    assert rules.site("2001:db8:1:2::7") == rules.site("2001:db8:1:3::7") != rules.site("2001:db8:2:2::7")
    assert rules.network("192.0.2.7") != rules.network("192.0.2.8")
    assert rules.network("::ffff:192.0.2.7") != rules.network("::ffff:192.0.2.8")
    assert rules.network("no address") == "no address"
    assert {rules.site(other) for other in ("192.0.2.7", "::ffff:192.0.2.7", "no address")} == {""}


def test_a_session_ends_by_rest_and_by_age() -> None:
    assert rules.alive(NOW, NOW, NOW + rules.IDLE_US - 1)
    assert not rules.alive(NOW, NOW, NOW + rules.IDLE_US)
    late = NOW + rules.ABSOLUTE_US
    assert rules.alive(NOW, late - 2, late - 1)
    assert rules.rests(NOW, late - 1) and not rules.rests(NOW, late)
    assert not rules.alive(NOW, late - 1, late)


def test_the_secret_of_a_session_has_256_random_bits() -> None:
    made = {random_secret.made() for _ in range(1000)}
    assert len(made) == 1000 and {len(urlsafe_b64decode(one + "=")) for one in made} == {32}
    ones = [sum(byte.bit_count() for byte in urlsafe_b64decode(one + "=")) for one in made]
    assert 120 < sum(ones) / 1000 < 136, "as many ones as zeros"


def test_a_code_of_an_invitation_has_eighty_random_bits() -> None:
    made = {random_secret.spoken_code() for _ in range(1000)}
    letters = Counter("".join(made).replace("-", ""))
    assert len(made) == 1000 and len(letters) == 32 and {len(code) for code in made} == {19}
    assert all(350 < times < 650 for times in letters.values()), "each letter as often as another: five bits each, sixteen of them"


def test_a_mark_is_ours_or_nothing() -> None:
    mark = rules.seen_mark(b"s" * 32, NOW)
    assert rules.seen_at(b"s" * 32, mark) == NOW
    later = f"{NOW + 1}-{mark.partition('-')[2]}"
    for bad in (later, rules.seen_mark(b"t" * 32, NOW), "", "-", "١-x", "9" * 400, mark + "0"):
        assert rules.seen_at(b"s" * 32, bad) is None


def test_passwords() -> None:
    stored = passwords.hashed("correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert rules.matches(stored, "correct horse battery")
    assert not rules.matches(stored, "correct horse batterz")
    assert not rules.matches(None, "no account has this password, and none can sign in with it")
    assert not rules.matches("not a hash", "x")


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/offers/../signin", "/inbox?x", "/offers/x", "", "/inbox\n"])
def test_nobody_is_led_out_by_a_link(path: str) -> None:
    assert forms.here(path) == "/inbox"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_none(body: bytes) -> None:
    found = forms.fields(body)
    texts = [] if found is None else [value for name, value in found.items() if name not in forms.PASSWORDS]
    assert all(c == "\n" or c.isprintable() for value in texts for c in value)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.sampled_from(sorted(forms.PASSWORDS)))
def test_a_password_arrives_as_it_was_typed(typed: str, field: str) -> None:
    """Spaces at its ends, a tab, a no-break space: all count, at the pages as with Basic."""
    assert forms.fields(urlencode({field: typed, "login": "x\xa0y"}).encode()) == {field: typed, "login": "x y"}


def test_a_password_is_one_whichever_keyboard_composes_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """One keyboard sends ë as one character, another as e with a mark; nothing else is made alike. At whatever price a hash comes."""
    monkeypatch.setattr(passwords, "hasher", partial(argon2.PasswordHasher, time_cost=1, memory_cost=64, parallelism=1))
    stored = passwords.hashed("Dera e Pej\u00ebs 12")
    assert rules.matches(stored, "Dera e Peje\u0308s 12")
    for other in ("dera e pej\u00ebs 12", "Dera e Pej\u00ebs  12", " Dera e Pej\u00ebs 12", "Dera e Pejes 12", "Dera\xa0e Pej\u00ebs 12"):
        assert not rules.matches(stored, other)
    assert not rules.matches(passwords.hashed("\ufb01fteen letters"), "fifteen letters"), "no compatibility forms"


@pytest.mark.parametrize("typed", ["рolice-prizren.duty", "police\u200b", "polic\u202ee", "besa k", "", "besa@x", "besä", "p" * 101])
def test_a_new_login_looks_like_no_other(typed: str) -> None:
    """The first has a Cyrillic letter, the next two have one that nobody sees."""
    with pytest.raises(Rejected, match="login"):
        passwords.new_login(typed)


def test_a_new_login_is_one_whichever_keyboard_wrote_it_and_an_old_one_still_signs_in() -> None:
    assert passwords.new_login(" Ｂesa.K-2 ") == "besa.k-2", "letters of another width are the same letters"
    assert passwords.login("Бесa") == "бесa", "who has such a login keeps it"


def test_a_password_that_is_longer_than_any_is_refused_not_cut() -> None:
    stored = passwords.hashed("x" * passwords.PASSWORD_MAX)
    assert rules.matches(stored, "x" * passwords.PASSWORD_MAX)
    assert not rules.matches(stored, "x" * passwords.PASSWORD_MAX + "y")
