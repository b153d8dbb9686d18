"""Words of a story's lines that say what is known: traits, consent, lengths of time, and which policy is in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.entered_times import entered
from referral.domain.policy import Policy, compile
from referral.exercise.told import length, options
from referral.wire import codec

ROOT = Path(__file__).parents[2]
MANY = ("flags", "languages")
TIMES = ("held-since", "taken-at", "last-contact", "last-seen", "order-until")


class Unheard(Struct, frozen=True):
    """An input of a later release, for which this engine has no rule."""


def changed_traits(traits: e.Traits, words: Iterable[str], now: int = 0) -> e.Traits:
    """Traits with what `name=value` says; other names are not meant for it. Of a time, `held-since=4h` is four hours ago, and
    `order-until=+30d` in thirty days."""
    named = options(words)
    said: dict[str, Any] = {k: v for k, v in named.items() if k in e.Traits.__struct_fields__}
    times = {k: now + length(v[1:]) if v.startswith("+") else now - length(v) for k, v in named.items() if k in TIMES}
    changed = replace(traits, **{k: tuple(filter(None, v.split(","))) if k in MANY else v for k, v in said.items()})
    return replace(changed, times=entered(times)) if times else changed


def in_oldest_bytes(body: Struct | None) -> Struct:
    """Return a referral, or changed traits, as the program reads the oldest version of that event: it says no time."""
    assert isinstance(body, e.ReferralSubmitted | e.TraitsChanged)
    type_, data = codec.encode_oldest(replace(body, traits=replace(body.traits, times=())))
    assert type_.endswith(".v1")
    return codec.decode(type_, codec.fingerprint(type_), data)


def consent_of(state: str, words: Iterable[str], now: int) -> e.Consent:
    """`GIVEN [giver=parent] [scope=identity,contact] [recipients=agency] [until=30d]`."""
    said = options(words)
    return e.Consent(
        state=e.ConsentState(state),
        basis="consent",
        giver=said.get("giver", "person"),
        scope=tuple(filter(None, said.get("scope", "").split(","))),
        recipients=tuple(filter(None, said.get("recipients", "").split(","))),
        until=now + length(said["until"]) if "until" in said else None,
    )


def policy_line(now: Policy, words: list[str], root: Path = ROOT) -> Policy:
    """`without ID`: no longer in force. `forgets ID`: this program does not even know it. `with FILE`: one more, a path below root."""
    verb, name = words
    if verb == "with":
        files = {path.relative_to(root / "policy").as_posix(): path.read_bytes() for path in (root / "policy").rglob("*.yaml")}
        path = root / name
        return compile({**files, f"pathways/{path.name}": path.read_bytes()}, now)
    kept = tuple(pathway for pathway in now.current if pathway.id != name)
    known = now.pinned if verb == "without" else {d: p for d, p in now.pinned.items() if p.id != name}
    return with_fields(now, current=kept, pinned=known)
