"""The table of the commands that change a line: where each changes it, whether it takes two operators, and what it makes."""

from __future__ import annotations

from msgspec import Struct


class Command(Struct, frozen=True, kw_only=True):
    """What one changing command does.

    in_database: its change and its act are one transaction; otherwise it changes Kafka, the roles of the database, or files of the
    authority, and the act is begun first. by_two: one operator may not run it alone, for it opens a door to somebody, or makes another
    truth of the line's records. What closes a door, or must be done at once or every hour, takes one (docs/decisions/0049 has the whole
    table). may_end: it may also end something, which one operator may do, at once. makes: kinds of subjects; each names a token once when
    it makes it, and again when it ends it.
    """

    in_database: bool = True
    by_two: bool = False
    may_end: bool = False
    makes: frozenset[str] = frozenset()


COMMANDS = {
    "agency connect": Command(in_database=False, by_two=True),
    "agency token": Command(by_two=True, may_end=True, makes=frozenset({"token"})),
    "agency topic": Command(in_database=False),
    "audit renew": Command(by_two=True),
    "audit token": Command(by_two=True, may_end=True, makes=frozenset({"token"})),
    "ca crl": Command(in_database=False),
    "ca init": Command(in_database=False, by_two=True),
    "ca renew": Command(in_database=False),
    "ca replace": Command(in_database=False, by_two=True, may_end=True),
    "ca revoke": Command(in_database=False),
    "ca sign": Command(in_database=False, by_two=True),
    "duty absence": Command(),
    "duty disable": Command(),
    "duty enable": Command(),
    "duty pause": Command(),
    "duty person": Command(),
    "duty remove": Command(),
    "duty resume": Command(),
    "duty rule": Command(),
    "duty shift": Command(),
    "oversight begin": Command(),
    "oversight reader add": Command(by_two=True, makes=frozenset({"token"})),
    "oversight reader end": Command(makes=frozenset({"token"})),
    "policy activate": Command(makes=frozenset({"policy"})),
    "prepare": Command(in_database=False),
    "recover": Command(in_database=False, by_two=True),
    "security honey": Command(),
    "staff add": Command(by_two=True, makes=frozenset({"account"})),
    "staff disable": Command(),
    "staff enable": Command(by_two=True),
    "staff password": Command(by_two=True),
    "topics rebuild": Command(in_database=False, by_two=True),
    "up": Command(makes=frozenset({"token", "account"})),
}
"""`up` adds the made-up people and tokens of a local stack."""
IN_DATABASE = frozenset(name for name, one in COMMANDS.items() if one.in_database)
ELSEWHERE = COMMANDS.keys() - IN_DATABASE
BY_TWO = frozenset(name for name, one in COMMANDS.items() if one.by_two)
MAY_END = frozenset(name for name, one in COMMANDS.items() if one.may_end)
MAKES = {kind: frozenset(name for name, one in COMMANDS.items() if kind in one.makes) for kind in ("token", "account", "policy")}
TOKENS = BY_TWO & MAKES["token"]
"""Commands that took one operator in release 0.1.0."""
