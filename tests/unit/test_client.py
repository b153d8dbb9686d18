"""The agencies' SDK: it repeats what is safe to repeat, under the same key, and says the rest in its own two words."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from referral.client import ATTEMPTS, Away, Client, Problem, RecordedOtherwise, event_digest

RECEIPT = {"referral_id": "r", "case_id": "c", "event_id": "e", "received_at": "2026-01-01T00:00:00Z"}


def client(answer: Callable[[httpx.Request], httpx.Response], slept: list[float]) -> Client:
    return Client("https://intake", "token", transport=httpx.MockTransport(answer), sleep=slept.append)


def test_what_is_away_is_asked_again_under_the_same_key_and_as_late_as_it_says() -> None:
    keys: list[str] = []
    slept: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        match len(keys):
            case 1:
                raise httpx.ConnectError("refused")
            case 2:
                return httpx.Response(503, headers={"Retry-After": "5"})
            case 3:
                return httpx.Response(502, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, text="<html>")
            case _:
                return httpx.Response(202, json=RECEIPT)

    with client(answer, slept) as school:
        assert school.submit({"traits": {}}) == RECEIPT
    assert len(keys) == 4 and len(set(keys)) == 1
    assert slept == [0.5, 5, 2]


@pytest.mark.parametrize("url", ["http://intake.example", "http://10.0.0.7:8080", "http://127.0.0.1.example", "ftp://127.0.0.1", "intake"])
def test_a_token_never_travels_in_clear_to_another_machine(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Client(url, "Marker-token")


@pytest.mark.parametrize("url", ["https://intake.example", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"])
def test_to_this_machine_it_may(url: str) -> None:
    Client(url, "token").close()


def test_where_there_is_room_within_seconds_it_waits_and_another_refusal_for_much_is_told() -> None:
    slept: list[float] = []
    codes = ["wait-your-turn", "too-often", "", "too-many"]

    def answer(request: httpx.Request) -> httpx.Response:
        code = codes.pop(0)
        return (
            httpx.Response(429, json={"code": code}, headers={"Retry-After": "2"}) if code else httpx.Response(202, json={"case_id": "c"})
        )

    with client(answer, slept) as door:
        assert door.submit({}, key="k")["case_id"] == "c"
        assert min(slept) >= 2
        with pytest.raises(Problem, match="too-many"):
            door.submit({}, key="k")


def test_it_ends_after_some_attempts_and_says_that_the_same_may_be_sent_later() -> None:
    slept: list[float] = []
    with client(lambda _: httpx.Response(503), slept) as school, pytest.raises(Away, match="send the same again later"):
        school.offers()
    assert len(slept) == ATTEMPTS - 1


def test_a_refusal_is_not_repeated_and_names_code_place_and_what_to_do() -> None:
    told = {"title": "unknown code", "code": "unknown-code", "where": "$.traits.age", "hint": "use one of: child"}
    slept: list[float] = []
    with client(lambda _: httpx.Response(422, json=told), slept) as school, pytest.raises(Problem) as caught:
        school.submit({"traits": {"age": "old"}}, key="1")
    assert (caught.value.status, caught.value.code, caught.value.where) == (422, "unknown-code", "$.traits.age")
    assert str(caught.value) == "422 unknown-code at $.traits.age: use one of: child" and not slept


def test_an_id_never_changes_the_path_and_letters_travel_as_they_are() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    with client(answer, []) as school:
        school.submission("a/../b?c=1")
        school.write("c", "identity", {"name": "Ëmër Шта"})
    assert seen[0].url.raw_path == b"/v1/submissions/a%2F..%2Fb%3Fc%3D1"
    assert json.loads(seen[1].content) == {"name": "Ëmër Шта"} and seen[1].headers["Authorization"] == "Bearer token"


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"policy": "# intake ed25519 abc"}, TypeError, "read_bytes"),
        ({"policy": Path("policy.txt")}, TypeError, "read_bytes"),
        ({"policy": b"log example+1\n"}, ValueError, "# intake ed25519"),
        ({"policy": b"# intake ed25519 not-a-key\n"}, ValueError, "# intake ed25519"),
        ({"signing_key": b"PRIVATE+KEY+a+1+x"}, TypeError, "text of the file"),
        ({"signing_key": "x"}, ValueError, "PRIVATE\\+KEY"),
    ],
)
def test_what_it_is_given_is_checked_before_anything_is_sent(more: dict[str, object], error: type[Exception], says: str) -> None:
    """A policy as text raised Unsigned after the referral was sent: "a program between you and intake answered in its place"."""
    with pytest.raises(error, match=says):
        Client("https://intake", "token", **more)  # type: ignore[arg-type]


def test_without_cryptography_it_says_so_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install cryptography"):
        Client("https://intake", "token", policy=b"# intake ed25519 " + base64.b64encode(bytes(32)))
    Client("https://intake", "token").close()


WORDS = {"traits": {"age": "child"}, "file": {"contact": {"name": "Testa (made up)"}}}


def test_the_digest_of_the_words_travels_with_each_call_and_none_of_a_file() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202, json=RECEIPT)

    with client(answer, []) as school:
        school.submit(WORDS)
        school.submit(json.dumps(WORDS).encode(), salt="s" * 22)
        school.respond("o", "ACCEPT")
        school.submit_file(b"ref_Key\n1\n")
        school.write("c", "contact", {"a": 1})
        school.submit(b"no JSON")
    salts, digests = ([request.headers.get(f"Referral-Event-{name}") for request in seen] for name in ("Salt", "Digest"))
    assert len({*salts[:3]}) == 3 and all(len(salt or "") >= 22 for salt in salts[:3]) and salts[1] == "s" * 22
    bodies: tuple[dict[str, object], ...] = (WORDS, WORDS, {"word": "ACCEPT"})
    assert digests[:3] == [event_digest(body, salt or "") for body, salt in zip(bodies, salts, strict=False)]
    assert salts[3:] == digests[3:] == [None, None, None]


def test_a_call_that_is_sent_again_has_the_same_salt_and_so_the_same_receipt() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Referral-Event-Salt"])
        return httpx.Response(202, json=RECEIPT)

    for token, key in (("one", "our-1"), ("one", "our-1"), ("one", "our-2"), ("two", "our-1")):
        with Client("https://intake", token, transport=httpx.MockTransport(answer)) as school:
            school.submit(WORDS, key=key)
    assert seen[0] == seen[1] and len({*seen}) == 3, "and nobody without the token makes it"


def test_other_words_than_were_sent_raise_and_a_line_of_before_says_nothing() -> None:
    for told, bad in (({}, False), ({"event_digest": event_digest(WORDS, "s" * 22)}, False), ({"event_digest": "0" * 64}, True)):
        with client(lambda _, told=told: httpx.Response(202, json={**RECEIPT, **told}), []) as school:
            if bad:
                with pytest.raises(RecordedOtherwise, match="other words than you sent, in the event e"):
                    school.submit(WORDS, salt="s" * 22)
            else:
                school.submit(WORDS, salt="s" * 22)
