"""Signing in, without a database: throttle, sessions, marks, passwords, and the way back out of the sign-in page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.runtime import passwords
from services.intake import pages_form, signin
from services.intake.signin import ADDRESS_LIMIT, PAIR_LIMIT, SLOWEST_S, WINDOW_US, Failures

NOW = 1_764_036_000_000_000
S = signin.SECOND_US
times = st.lists(st.integers(NOW - 2 * WINDOW_US, NOW), max_size=70).map(tuple)


@given(times, times, times)
def test_a_throttled_sign_in_is_free_when_its_wait_is_over_and_not_before(
    pair: tuple[int, ...], login: tuple[int, ...], address: tuple[int, ...]
) -> None:
    failures = Failures(pair=pair, login=login, address=address)
    seconds = signin.wait(failures, NOW)
    assert 0 <= seconds <= WINDOW_US // S
    assert signin.wait(failures, NOW + seconds * S) == 0
    assert seconds <= 1 or signin.wait(failures, NOW + (seconds - 1) * S) > 0


@pytest.mark.parametrize(("kind", "limit"), [("pair", PAIR_LIMIT), ("address", ADDRESS_LIMIT)])
def test_each_limit_stops_at_its_number(kind: str, limit: int) -> None:
    assert signin.wait(Failures(**{kind: (NOW - S,) * (limit - 1)}), NOW) == 0
    assert signin.wait(Failures(**{kind: (NOW - S,) * limit}), NOW) == WINDOW_US // S - 1


@given(times)
def test_guesses_from_elsewhere_slow_a_login_and_never_refuse_it(login: tuple[int, ...]) -> None:
    failures = Failures(login=login)
    assert signin.wait(failures, NOW) == 0
    assert 0 <= signin.delay(failures, NOW) <= SLOWEST_S
    assert signin.delay(Failures(login=(*login, NOW)), NOW) >= signin.delay(failures, NOW)


def test_the_delay_of_a_login_grows_to_its_limit() -> None:
    assert signin.delay(Failures(login=(NOW,) * 4), NOW) == 0
    assert signin.delay(Failures(login=(NOW,) * 30), NOW) == SLOWEST_S


def test_a_subscriber_of_ipv6_is_one_address() -> None:
    assert signin.network("2001:db8:1:2::7") == signin.network("2001:db8:1:2:ffff::9") != signin.network("2001:db8:1:3::7")
    assert signin.network("192.0.2.7") != signin.network("192.0.2.8")
    assert signin.network("::ffff:192.0.2.7") != signin.network("::ffff:192.0.2.8")
    assert signin.network("no address") == "no address"


def test_a_session_ends_by_rest_and_by_age() -> None:
    assert signin.alive(NOW, NOW, NOW + signin.IDLE_US - 1)
    assert not signin.alive(NOW, NOW, NOW + signin.IDLE_US)
    late = NOW + signin.ABSOLUTE_US
    assert signin.alive(NOW, late - 2, late - 1)
    assert not signin.alive(NOW, late - 1, late)


def test_a_mark_is_ours_or_nothing() -> None:
    mark = signin.seen_mark(b"s" * 32, NOW)
    assert signin.seen_at(b"s" * 32, mark) == NOW
    later = f"{NOW + 1}-{mark.partition('-')[2]}"
    for bad in (later, signin.seen_mark(b"t" * 32, NOW), "", "-", "١-x", "9" * 400, mark + "0"):
        assert signin.seen_at(b"s" * 32, bad) is None


def test_passwords() -> None:
    stored = passwords.hashed("correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert signin.matches(stored, "correct horse battery")
    assert not signin.matches(stored, "correct horse batterz")
    assert not signin.matches(None, "no account has this password, and none can sign in with it")
    assert not signin.matches("not a hash", "x")


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/offers/../signin", "/inbox?x", "/offers/x", "", "/inbox\n"])
def test_nobody_is_led_out_by_a_link(path: str) -> None:
    assert pages_form.here(path) == "/inbox"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_none(body: bytes) -> None:
    found = pages_form.fields(body)
    assert found is None or all(c == "\n" or c.isprintable() for value in found.values() for c in value)


def test_a_password_that_is_longer_than_any_is_refused_not_cut() -> None:
    stored = passwords.hashed("x" * passwords.PASSWORD_MAX)
    assert signin.matches(stored, "x" * passwords.PASSWORD_MAX)
    assert not signin.matches(stored, "x" * passwords.PASSWORD_MAX + "y")
