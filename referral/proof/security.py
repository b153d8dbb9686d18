"""Judge security events: which alarms stand, and whether the events are the ones that the log has sealed. Pure."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct, json

from referral.domain.durations import DAY_US, HOUR_US
from referral.tlog import merkle
from referral.wire.security_event import KEPT_DAYS, OTHERS, SPRAYED, UNKNOWN, Kind, Row

WINDOW_US = HOUR_US
"""Time after which an event raises no alarm any more (P8: files of one account in an hour)."""
FILES = 20
"""Different cases that one account, agency or office reads in WINDOW_US, from which on it is an alarm (P8): as many as the country has in a
year."""
REFUSALS = 20
"""Refused sign-ins of all in WINDOW_US, from which on it is an alarm (P): people mistype, guessers do not stop."""
DENIALS = 20
"""Refusals by the table of rights to one holder in WINDOW_US, from which on it is an alarm (P): a stale link is one."""
QUIET = (Kind.SIGNED_IN, Kind.SIGNED_OUT, Kind.PASSWORD_SET)
"""Kinds that raise no alarm."""
STOLEN = ("certificate-of-another", "ended-token")
"""Details that somebody's copy of a token leaves."""


class Alarm(StrEnum):
    """An alarm. Each has its rule in deploy/monitoring, and its line in docs/operators.md, Security events."""

    HONEY = "honey"
    STOLEN_TOKEN = "stolen-token"  # noqa: S105 - a word, no secret
    MANY_FILES = "many-files"
    OFF_DUTY = "off-duty"
    REFUSED = "refused"
    THROTTLED = "throttled"
    DENIED = "denied"
    SPRAYED = "sprayed"


class Sum(Struct, frozen=True):
    """The events of WINDOW_US with the same kind, who and detail. times: how often."""

    kind: Kind
    who: str
    detail: str
    times: int


def alarms(sums: Iterable[Sum]) -> dict[Alarm, frozenset[str]]:
    """Return each alarm → about whom it stands; empty where it does not."""
    found: dict[Alarm, set[str]] = {alarm: set() for alarm in Alarm}
    files, readings, denials = dict[str, set[str]](), dict[str, int](), dict[str, int]()
    refused = 0
    for one in sums:
        match one.kind:
            case Kind.HONEY:
                found[Alarm.HONEY].add(one.detail)
            case Kind.FILE_READ | Kind.READ_OFF_DUTY:
                files.setdefault(one.who, set()).add(one.detail)
            case Kind.LOG_READ:
                readings[one.who] = readings.get(one.who, 0) + one.times
            case Kind.REFUSED if one.detail == SPRAYED:
                found[Alarm.SPRAYED].add("logins")
            case Kind.REFUSED:
                refused += one.times
            case Kind.THROTTLED:
                found[Alarm.THROTTLED].add(one.who)
            case Kind.DENIED:
                denials[one.who] = denials.get(one.who, 0) + one.times
            case _:
                pass
        if one.kind is Kind.READ_OFF_DUTY:
            found[Alarm.OFF_DUTY].add(one.who)
        if one.detail in STOLEN and one.who != UNKNOWN:
            found[Alarm.STOLEN_TOKEN].add(one.who)
    found[Alarm.MANY_FILES] |= {who for who, cases in files.items() if len(cases) >= FILES}
    found[Alarm.MANY_FILES] |= {who for who, times in readings.items() if times >= FILES}
    found[Alarm.DENIED] |= {who for who, times in denials.items() if times >= DENIALS and who not in (UNKNOWN, OTHERS)}
    found[Alarm.REFUSED] |= {"sign-ins"} if refused >= REFUSALS else set()
    return {alarm: frozenset(about) for alarm, about in found.items()}


def raised(rows: Iterable[Row]) -> dict[Alarm, dict[str, int]]:
    """Return each alarm that stood at any time → about whom → when it first stood, µs UTC; empty where it did not."""
    found: dict[Alarm, dict[str, int]] = {alarm: {} for alarm in Alarm}
    window = deque[Row]()
    for row in sorted((row for row in rows if row.kind not in QUIET), key=lambda row: row.at):
        window.append(row)
        while window[0].at <= row.at - WINDOW_US:
            window.popleft()
        for alarm, about in alarms(Sum(one.kind, one.who, one.detail, one.times) for one in window).items():
            found[alarm] = {**dict.fromkeys(about, row.at), **found[alarm]}
    return found


def root(rows: Iterable[Row]) -> str:
    """Return the Merkle root of events in the order of their ids, hexadecimal: it is the seal of a heartbeat."""
    hashes = [merkle.leaf_hash(_leaf(row)) for row in sorted(rows, key=lambda row: row.id)]
    edge = merkle.append(merkle.Frontier(), hashes)
    return merkle.fold(edge.peaks).hex() if hashes else hashlib.sha256().hexdigest()


def _leaf(row: Row) -> bytes:
    return json.encode([row.id, row.at, row.service, row.kind, row.who, row.detail, row.place, row.times])


def altered(rows: Iterable[Row], seals: Mapping[int, tuple[int, str, int]], now: int) -> list[str]:
    """Return in words which sealed events are not what they were: taken away, changed, added, or put under a seal that is none.

    seals: entry of the log → its count of events, its root, and when it was logged, µs UTC. now: µs UTC. A seal whose events may be removed
    by age is not looked at.
    """
    held: dict[int, list[Row]] = {}
    for row in rows:
        if row.idx is not None:
            held.setdefault(row.idx, []).append(row)
    young = {idx: seal for idx, seal in seals.items() if seal[2] > now - (KEPT_DAYS - 1) * DAY_US}
    found = []
    for idx, (count, sealed, _) in sorted(young.items()):
        there = held.get(idx, [])
        if len(there) != count:
            found.append(f"entry {idx} seals {count} events, and {len(there)} are there")
        elif root(there) != sealed:
            found.append(f"the {count} events of entry {idx} are not the ones that it seals")
    return found + [f"{len(held[idx])} events name entry {idx}, which seals none" for idx in sorted(held.keys() - seals.keys())]
