"""Read and write `trust.toml`: whom a reader believes. Its strict form, and the form of the log and of release 0.1.0. Pure.

    witness_policy = '''
    log audit.example/referral+…
    quorum none
    '''
    intake = ["<base64 of 32 bytes>"]
    policy_keepers.policy-keeper = "<base64>"
    approvers = "off"

Five fields name keys, and each of them must be there: a wall is down only where its field says "off". What may be missing loosens
something: `policy_bundles` (pins), `signed_from`, `two_operators_from`, `two_operators_for_tokens_from`. An unknown word is refused.

The log publishes the same in one C2SP policy file, with a comment line for each key (`logged`). A program writes these lines, and no
setting may hold them: docs/decisions/0078.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from referral import typed_toml
from referral.domain.signers import NAME, NEEDED, public_key
from referral.errors import Malformed
from referral.wire.signed import trust_lines
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.operator_word import NO_OPERATORS, PLANE, Operators
from referral.wire.signed.policy_signature import Trusted
from referral.wire.signed.trust_lines import EPOCH, MS, Keyword, key_line, time
from referral.wire.signed.writer_signature import NO_WRITERS, OWNERS, Writers

OFF, UNTIL = "off", "until"
KEYED = ("intake", "policy_keepers", "approvers", "operators", "writers")
"""Fields that name keys. Each is a wall, so each is needed."""
FIELDS = ("witness_policy", *KEYED, "policy_bundles", "signed_from", "two_operators_from", "two_operators_for_tokens_from")
PERSONS = {"policy_keepers": "policy keeper", "approvers": "approver", "operators": "operator"}
"""Fields of people, of whom two must act together."""
DIGEST = re.compile(r"[0-9a-f]{64}")
ALIKE = 0.8
"""Likeness (ours, of difflib) from which a comment's first word counts as a misspelt word of 0.1.0."""
IMPORT = "`referral audit trust import FILE` makes `trust.toml` from such a file"


class Trust(Struct, frozen=True):
    """The parties that a reader believes. An empty part is one that the file puts off.

    witness_policy: C2SP policy file: the log, its witnesses and their quorum.
    policy: the policy keepers, and the bundles that are pinned. erasers: intake and the approvers. writers: the services that sign records.
    """

    witness_policy: bytes
    policy: Trusted
    erasers: Erasers
    writers: Writers
    operators: Operators

    def logged(self) -> bytes:
        """Return the form in which the log names all of them: one C2SP policy file, as release 0.1.0 had it."""
        lines = [key_line(Keyword.POLICY_SIGNER, name, public) for name, public in self.policy.signers.items()]
        lines += [trust_lines.pin_line(number, digest) for number, digest in self.policy.pins.items()]
        lines += [key_line(Keyword.WRITER, service, public) for service, keys in self.writers.keys.items() for public in keys]
        lines += [trust_lines.until_line(public, at) for public, at in self.writers.ends.items()]
        lines += [trust_lines.from_line(Keyword.SIGNED_FROM, self.erasers.since)]
        lines += [key_line(Keyword.APPROVER, name, public) for name, public in self.erasers.approvers.items()]
        lines += [key_line(Keyword.OPERATOR, name.removeprefix(PLANE), public) for name, public in self.operators.keys.items()]
        lines += [trust_lines.from_line(Keyword.TWO_OPERATORS_FROM, self.operators.since)]
        lines += [trust_lines.from_line(Keyword.TOKENS_FROM, self.operators.tokens)]
        lines += [trust_lines.intake_line(public) for public in self.erasers.intake]
        return b"".join(lines) + self.witness_policy

    def written(self) -> bytes:
        """Return `trust.toml`."""
        text = self.witness_policy.decode()
        lines = [*policy_lines(text), *((intake_line(*self.erasers.intake),) if self.erasers.intake else (_off("intake"),))]
        for field, people in zip(PERSONS, (self.policy.signers, self.erasers.approvers, self.operators.keys), strict=True):
            lines += [person_line(field, name.removeprefix(PLANE), public) for name, public in people.items()] or [_off(field)]
        ends = self.writers.ends
        lines += [writer_line(service, *keys, ends=ends) for service, keys in self.writers.keys.items()] or [_off("writers")]
        lines += [bundle_line(number, digest) for number, digest in self.policy.pins.items()]
        times = {"signed_from": self.erasers.since, "two_operators_from": self.operators.since}
        lines += [f"{name} = {time(at)}\n" for name, at in {**times, FIELDS[-1]: self.operators.tokens}.items() if at]
        return "".join(lines).encode()


def policy_lines(text: str) -> tuple[str, ...]:
    """Return the lines of `trust.toml` for a C2SP policy file. Malformed: TOML cannot hold it as it is."""
    if "'''" in text or not text.endswith("\n"):
        raise Malformed("trust", "the C2SP policy file holds ''' or does not end its last line: mend that first")
    return "# Whom we believe: docs/operators.md, Whom to believe.\n", f"witness_policy = '''\n{text}'''\n"


def intake_line(*keys: bytes) -> str:
    """Return the line that names intake's keys: the current one, and older ones whose receipts and erasures stay valid."""
    return f"intake = [{_keys(*keys)}]\n"


def person_line(field: str, name: str, public: bytes) -> str:
    """Return the line that names a person's key. field: one of PERSONS."""
    return f'{field}.{name} = "{b64encode(public).decode()}"\n'


def writer_line(service: str, *keys: bytes, ends: Mapping[bytes, int] = {}) -> str:
    """Return the line that names a service's keys: the current one, and older ones whose records stay valid until their end."""
    words = [b64encode(key).decode() + (f" {UNTIL} {time(ends[key])}" if key in ends else "") for key in keys]
    return f"writers.{service} = [{', '.join(f'{chr(34)}{word}{chr(34)}' for word in words)}]\n"


def bundle_line(number: int, digest: str) -> str:
    """Return the line that pins a bundle of the policy."""
    return f'policy_bundles.{number} = "{digest}"\n'


def read(data: bytes) -> Trust:
    """Read `trust.toml`. Malformed, with the line and the remedy: it is no TOML, or a word is unknown, missing or no key."""
    try:
        text = data.decode()
        found = tomllib.loads(text)
    except UnicodeDecodeError:
        raise Malformed("trust", f"it is no text in UTF-8; {IMPORT}") from None
    except tomllib.TOMLDecodeError as error:
        raise Malformed("trust", f"it is no TOML, or names something twice: {error}; {IMPORT}") from None
    return _Reading(text, found).trust()


def imported(policy: bytes) -> Trust:
    """Read the comment lines of a policy file of release 0.1.0. Malformed: one of them is none of its lines, and nearly one."""
    for number, line in enumerate(policy.split(b"\n"), 1):
        if not _is_old(line) and _is_nearly(line):
            what = "release 0.1.0 passed it over, so it named nobody: mend its first word, or begin the remark with another word"
            raise Malformed("policy", f"line {number} `{_shown(line)}`: {what}")
    kept = b"".join(line for line in policy.splitlines(keepends=True) if not _is_old(line))
    parties = (trust_lines.policy_keepers(policy), trust_lines.erasers(policy), trust_lines.writers(policy), trust_lines.operators(policy))
    found = Trust(kept, *parties)
    try:
        again = read(found.written())
    except UnicodeDecodeError:
        again = None
    if again != found:
        raise Malformed("policy", "a name of a witness is no text in UTF-8, or a line ends otherwise than by a newline: mend that first")
    return found


def refuse_old_lines(policy: bytes) -> None:
    """Refuse a C2SP policy file with lines that named keys in release 0.1.0: here a comment is a comment. Malformed."""
    for number, line in enumerate(policy.split(b"\n"), 1):
        if _is_old(line):
            what = f"named a key in release 0.1.0, and is a comment now; {IMPORT}. Begin a remark with another word"
            raise Malformed("policy", f"line {number} `{_shown(line)}` {what}")


def _is_old(line: bytes) -> bool:
    words = line.split()
    return words[:1] == [b"#"] and len(words) > 1 and words[1].decode("ascii", "replace") in [*Keyword]


def _is_nearly(line: bytes) -> bool:
    """Return whether somebody meant a comment to name something: it has a kind of key, or a word that is like one of 0.1.0."""
    first, *others = line.lstrip().removeprefix(b"#").split() or [b""]
    word = first.decode("ascii", "replace").lower()
    return line.lstrip().startswith(b"#") and (b"ed25519" in others or bool(difflib.get_close_matches(word, [*Keyword], 1, ALIKE)))


class _Reading:
    """The reading of one file. text: finds the line of a word. found: the decoded TOML."""

    def __init__(self, text: str, found: Mapping[str, Any]) -> None:
        self._text, self._found = text, found
        self._ends = dict[bytes, int]()

    def trust(self) -> Trust:
        for word in self._found:
            if word not in FIELDS:
                near = difflib.get_close_matches(word, FIELDS, 1)
                raise self._bad(f"`{word}` is no word of this file: write {' or '.join(near or FIELDS)}", word)
        for word in FIELDS[: 1 + len(KEYED)]:
            if word not in self._found:
                remedy = f'name somebody, or write {word} = "{OFF}": nobody is asked then' if word in KEYED else "the log and its witnesses"
                raise self._bad(f"`{word}` is missing: {remedy}")
        policy = self._found["witness_policy"]
        if not isinstance(policy, str):
            raise self._bad("write the C2SP policy file between two lines of '''", "witness_policy")
        try:
            refuse_old_lines(policy.encode())
        except Malformed as error:
            raise self._bad(f"of witness_policy: {error}", "witness_policy") from None
        times = [self._time(word) for word in FIELDS[-3:]]
        operators = {PLANE + name: public for name, public in self._people("operators").items()}
        writers = self._writers()
        return Trust(
            policy.encode(),
            Trusted(self._people("policy_keepers"), self._bundles()),
            Erasers(self._intake(), self._people("approvers"), times[0]),
            Writers(writers, times[0], self._ends) if writers else NO_WRITERS,
            Operators(operators, *times[1:]) if operators else NO_OPERATORS,
        )

    def _bad(self, what: str, *path: str) -> Malformed:
        number = typed_toml.line(self._text, path)
        return Malformed("trust", f"line {number} {what}" if number else what)

    def _intake(self) -> tuple[bytes, ...]:
        return () if self._found["intake"] == OFF else self._several(self._found["intake"], "intake")

    def _people(self, field: str) -> dict[str, bytes]:
        found = dict[str, bytes]()
        for name, word in self._table(field).items():
            public = public_key(word) if isinstance(word, str) else None
            if public is None or not NAME.fullmatch(name):
                raise self._bad(f'names no {PERSONS[field]}: write {field}.NAME = "<base64 of 32 bytes>"', field, name)
            if public in found.values():
                raise self._bad(f"repeats the key of another {PERSONS[field]}: two people have two keys", field, name)
            found[name] = public
        if 0 < len(found) < NEEDED:
            raise self._bad(f"names one {PERSONS[field]}: what takes {NEEDED} could never be done; name a second one", field)
        return found

    def _writers(self) -> dict[str, tuple[bytes, ...]]:
        table, services = self._table("writers"), tuple(OWNERS.values())
        for service in table:
            if service not in services:
                raise self._bad(f"{service} writes no topic; SERVICE is one of {', '.join(services)}", "writers", service)
        if table and (missing := [service for service in services if service not in table]):
            raise self._bad(f'names no key of {", ".join(missing)}: write writers.SERVICE = ["…"] for each', "writers")
        found = dict[str, tuple[bytes, ...]]()
        for service, keys in table.items():
            words = [self._ended(word, service) for word in keys] if isinstance(keys, list) else keys
            found[service] = self._counting(service, self._several(words, "writers", service))
        return found

    def _counting(self, service: str, keys: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Return a service's keys. Malformed: each has an end, so the service could sign nothing."""
        if all(key in self._ends for key in keys):
            raise self._bad(f"ends every key of {service}: name first the one that it signs with", "writers", service)
        return keys

    def _ended(self, word: object, service: str) -> object:
        """Return a writer's key without its end, and keep that."""
        key, until, time = word.partition(f" {UNTIL} ") if isinstance(word, str) else ("", "", "")
        if not until:
            return word
        try:
            at = datetime.fromisoformat(time)
            public = public_key(key)
            if at.tzinfo is not None and public is not None:
                self._ends[public] = (at - EPOCH) // MS
                return key
        except ValueError:
            pass
        raise self._bad(f'ends no key: write writers.{service} = ["NEW", "OLD {UNTIL} 2026-12-01T00:00:00Z"]', "writers", service)

    def _bundles(self) -> dict[int, str]:
        found = dict[int, str]()
        for number, digest in self._table("policy_bundles").items() if "policy_bundles" in self._found else ():
            if not (number.isascii() and number.isdigit() and len(number) < 10 and isinstance(digest, str) and DIGEST.fullmatch(digest)):
                raise self._bad('pins no bundle: write policy_bundles.NUMBER = "DIGEST"', "policy_bundles", number)
            found[int(number)] = digest
        return found

    def _table(self, field: str) -> Mapping[str, Any]:
        table = self._found[field]
        if table == OFF and field in KEYED:
            return {}
        if not isinstance(table, dict) or not table:
            off = f', or {field} = "{OFF}"' if field in KEYED else ""
            raise self._bad(f"`{field}` names nobody: write {field}.NAME = …{off}", field)
        return table

    def _several(self, words: object, *path: str) -> tuple[bytes, ...]:
        keys = [public_key(word) if isinstance(word, str) else None for word in words] if isinstance(words, list) else []
        if not keys or None in keys:
            raise self._bad(f'names no keys: write {".".join(path)} = ["<base64 of 32 bytes>"], the current key first', *path)
        return tuple(key for key in keys if key is not None)

    def _time(self, word: str) -> int:
        at = self._found.get(word, EPOCH)
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise self._bad(f"names no time: write {word} = 2026-12-01T00:00:00Z", word)
        return (at - EPOCH) // MS


def _shown(line: bytes) -> str:
    return line.decode("ascii", "replace").strip()[:60]


def _keys(*keys: bytes) -> str:
    return ", ".join(f'"{b64encode(key).decode()}"' for key in keys)


def _off(field: str) -> str:
    return f'{field} = "{OFF}"\n'
