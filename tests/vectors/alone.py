"""Exports with a single finding each, of those that no short log can tell: what an auditor's own file, an older checkpoint or a clock
finds, and what agencies have signed. `alone.json` names each.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import structs, to_builtins

from referral.domain import events as e
from referral.domain.case import next_due, open_offers
from referral.domain.durations import MINUTE_US
from referral.domain.events import PolicyActivated, RungReached, Signed, TraitsChanged
from referral.domain.inputs import due_input
from referral.domain.policy import compile
from referral.domain.policy.directory import SigningKey
from referral.proof import archive
from referral.proof.entry import Kind
from referral.proof.heartbeat import Heartbeat
from referral.tlog import note
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.tlog.note_keys import ED25519, SignerKey
from referral.tlog.tile_layout import ENTRIES, Tile
from referral.wire import event_digest
from referral.wire.schema.load import load
from referral.wire.signed import agency_keys, trust
from services.audit.self_entries import schemas
from tests.harness.audit_archive import Rows
from tests.harness.made_child import CHILD
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES
from tests.harness.made_log import Log as Tree
from tests.vectors import exports, omitted
from tests.vectors.exports import CHECKOUT, Asked, act, beats, begun, refer
from tests.vectors.form import Vector, VectorFile, good, public, secret
from tests.vectors.lies import CASE, places, policy
from tests.vectors.line import BEGIN, END, SCHOOL, SIGNS, Line, rules
from tests.vectors.signatures import bundle

SALT = "a-salt-that-is-plainly-made-up"
FILE = f"directory/{SIGNS}.yaml"
LATER = SignerKey(SIGNS, ED25519, bytes([0x62]) * 32)


class Alone(Asked, frozen=True, kw_only=True):
    """An export, what the auditor asks, and what is told. finding: empty: nothing."""

    what: str
    make: Callable[[], Line]
    finding: str = ""
    exit_code: int = 1


def _started() -> Line:
    return begun(Line(policy=policy()))


def _quiet() -> Line:
    """A log without a case."""
    line = _started()
    beats(line, 3)
    return line


def _ahead() -> Line:
    """Audit's clock is three minutes ahead of the witnesses' at its last heartbeat."""
    line = _started()
    beats(line, 3)
    line.now = END + 3 * MINUTE_US
    line.own(Kind.HEARTBEAT, Heartbeat(ends={"referral-policy": [1]}, unread={}, drill=False, salt=f"{9:032}").encode())
    return line


def _still() -> Line:
    """The last heartbeat is ten minutes older than what the witnesses signed."""
    line = _started()
    line.now = END - 10 * MINUTE_US
    line.own(Kind.HEARTBEAT, Heartbeat(ends={"referral-policy": [1]}, unread={}, drill=False, salt=f"{9:032}").encode())
    return line


def _other(line: Line) -> bytes:
    """Return the checkpoint of a log that had another entry."""
    leaves = [bytes(leaf) for leaf in Rows(line.entries).leaves[:5]]
    return Tree([*leaves[:4], b"another"]).signed().encode()


def _continued(line: Line) -> bytes:
    return Tree(Rows(line.entries).leaves[:5]).signed().encode()


def _longer(line: Line) -> bytes:
    return Tree([*Rows(line.entries).leaves, b"one more"]).signed().encode()


def _of_one(line: Line) -> bytes:
    """Return an older checkpoint that one of three witnesses signed."""
    return Tree(Rows(line.entries).leaves[:5]).signed(witnesses=WITNESSES[:1]).encode()


def _root(folder: Path, line: Line) -> None:
    """Log and witnesses sign a root that the entries do not make."""
    text = Checkpoint(ORIGIN, len(line.entries), bytes([0x0F]) * 32).text
    signed = Note(text, (note.sign(text, LOG, 0), *(note.sign(text, key, NOW) for key in WITNESSES)))
    (folder / archive.CHECKPOINT).write_bytes(signed.encode())


def _headers(folder: Path, line: Line) -> None:
    """A header is another than the one that was logged."""
    width = len(line.entries)
    path = folder / archive.path(Tile(ENTRIES, 0, min(width, 256)))
    kept = archive.unpack(Tile(ENTRIES, 0, min(width, 256)), path.read_bytes())
    place = next(n for n, entry in enumerate(line.entries) if entry.kind is Kind.POLICY)
    one = kept[place]
    assert one is not None
    kept[place] = structs.replace(one, headers=tuple((name, b"x" if name == "ce_time" else value) for name, value in one.headers))
    path.write_bytes(archive.pack(kept))


def _without_act(line: Line, body: PolicyActivated) -> None:
    line.open_record(body, str(body.number), "routing")


def _with_act(line: Line, body: PolicyActivated) -> None:
    _without_act(line, body)
    line.own(Kind.ADMINISTRATION, act("policy activate", line.now, ("policy:2", f"digest:{body.digest[:16]}")).encode())


def _second(files: Mapping[str, bytes] = {}, **other: Any) -> PolicyActivated:
    """Return bundle 2. files: those that are others than in bundle 1."""
    one = rules()
    more = {"municipalities.yaml": one.files["municipalities.yaml"] + b"# more\n"}
    return bundle(2, {**one.files, **(files or more)}, one.digest, valid_from=0, **other)


def _bundle(put: Callable[[Line, PolicyActivated], None], at: int) -> Callable[[], Line]:
    """at: minutes after the broker has bundle 2, its own word."""

    def make() -> Line:
        line = _started()
        line.now = END - 20 * MINUTE_US
        put(line, _second(at=line.now + at * MINUTE_US))
        beats(line, 12)
        return line

    return make


def _no_acts() -> Line:
    """No act is in the log, and bundle 1 says that it came into force five minutes before the broker had it."""
    line = Line(policy=policy())
    line.own(Kind.KEYS, exports.POLICY)
    for said in schemas(load(CHECKOUT / "schemas" / "avro")):
        line.own(Kind.SCHEMA, said.value, said.type, said.fingerprint)
    line.open_record(structs.replace(rules(), at=BEGIN - 5 * MINUTE_US), "1", "routing")
    beats(line, 3)
    return line


def _silent(*, arrives: bool) -> Callable[[], Line]:
    """Somebody is knocked on every rung, and nobody answers. arrives: each message does at once."""

    def make() -> Line:
        line = _started()
        line.now = END - 100 * MINUTE_US
        line.take(CASE, structs.replace(refer(CASE, line.now), signed=None), line.now, places())
        while (due := next_due(line.cases[CASE])) is not None and due < END - 3 * MINUTE_US:
            if arrives:
                for offer in open_offers(line.cases[CASE]):
                    if offer.knocked and not offer.told:
                        line.take(CASE, RungReached(offer_id=offer.offer_id, rung=offer.rung, at=line.now), line.now, places())
            line.now = max(line.now, due)
            events = line.decide(due_input(CASE, due, line.cases[CASE].seq), places()).events
            omitted.desks(line, CASE, events)
        line.now = END - 3 * MINUTE_US
        beats(line, 3)
        return line

    return make


def _listed(*keys: Any, must: bool = False, vouched: tuple[bytes, ...] = ()) -> dict[str, bytes]:
    """Return the school's file with these signing keys."""
    path = rules().files[FILE].partition(b"signing:")[0]
    lines = ", ".join(f'"{key.verifier.encode().decode()}"' for key in keys)
    words = ", ".join(f'"{base64.b64encode(one).decode()}"' for one in vouched)
    told = f"signing: {{{'must: true, ' if must else ''}keys: [{lines}]{f', vouched: [{words}]' if words else ''}}}\n"
    return {FILE: path + told.encode()}


def _id(key: SignerKey) -> str:
    """Return the name and id of a key."""
    return "+".join(key.verifier.encode().decode().split("+")[:2])


BOTH = (SCHOOL, LATER)
BODY = f"sha-256=:{base64.b64encode(sha256(b'the body').digest()).decode()}:"


def signed(path: str, *, by: int = 0x61, key: bytes = b"", words: Mapping[str, Any] | None = None, word: str = "") -> Signed:
    """A request that the school signs. by, key: with which key. words: what it binds. word: another digest of them."""
    said = {"@method": "POST", "@path": path, "content-type": "application/json", "content-digest": BODY}
    if words is not None:
        digest = event_digest.digest(SALT, words)
        said |= {event_digest.SALT_HEADER: SALT, event_digest.DIGEST_HEADER: word or digest}
    names = " ".join(f'"{name}"' for name in said)
    params = f'({names});created={BEGIN // 1_000_000};keyid="{_id(SCHOOL)}"'
    base = "\n".join(f'"{name}": {value}' for name, value in {**said, "@signature-params": params}.items()).encode()
    return Signed(agency=SIGNS, public=key or public(by), scheme=e.Scheme.HTTP, base=base, signature=secret(by).sign(base), sequence=0)


TRAITS = f"/v1/cases/{CASE}/traits"
SAID = structs.replace(CHILD, sex="female")


def _sends(*signatures: Signed | None, before: PolicyActivated | None = None, after: PolicyActivated | None = None, **other: Any):  # type: ignore[no-untyped-def]
    """The school refers a child, and then says something else about it. before, after: bundle 2 comes then."""

    def make() -> Line:
        line = _started()
        line.now = END - 14 * MINUTE_US
        line.take(CASE, refer(CASE, line.now), line.now, places())
        if before:
            _with_act(line, structs.replace(before, at=line.now))
        for one in signatures:
            said = {"agency": SIGNS, "traits": SAID, "received_at": line.now, "signed": one, **other}
            line.take(CASE, TraitsChanged(**said), line.now, places())
        if after:
            _with_act(line, structs.replace(after, at=line.now))
        beats(line, 12)
        return line

    return make


def _must() -> Line:
    """The school must sign since the first bundle, and a second message of its system is not signed."""
    first = bundle(1, {**rules().files, **_listed(SCHOOL, must=True)}, "", at=BEGIN, valid_from=0)
    line = Line(policy=policy())
    line.own(Kind.KEYS, exports.POLICY)
    for said in schemas(load(CHECKOUT / "schemas" / "avro")):
        line.own(Kind.SCHEMA, said.value, said.type, said.fingerprint)
    line.open_record(first, "1", "routing")
    line.own(Kind.ADMINISTRATION, act("policy activate", BEGIN, ("policy:1", f"digest:{first.digest[:16]}")).encode())
    line.policy = compile(first.files)
    line.now = END - 14 * MINUTE_US
    line.take(CASE, refer(CASE, line.now), line.now, places())
    line.take(CASE, TraitsChanged(agency=SIGNS, traits=SAID, received_at=line.now), line.now, places())
    beats(line, 12)
    return line


ALL = to_builtins(SAID)
VOUCHED = (secret(0x61).sign(agency_keys.statement(SigningKey(id=_id(LATER), public=public(0x62)))),)
EVERY: dict[str, Alone] = {
    "older": Alone(what="the log continues an older checkpoint", make=_quiet, exit_code=0, older=_continued),
    "forked": Alone(what="an older checkpoint has another root at its size", finding="FORKED", make=_quiet, older=_other),
    "truncated": Alone(what="an older checkpoint has more entries", finding="TRUNCATED", make=_quiet, older=_longer),
    "older-of-one": Alone(what="an older checkpoint that one witness signed", finding="QUORUM", make=_quiet, older=_of_one),
    "fresh": Alone(what="the witnesses signed within the age that is asked", make=_quiet, exit_code=0, max_age_s=60, now_s=NOW + 60),
    "stale": Alone(what="the witnesses signed a second too early", finding="STALE", make=_quiet, exit_code=3, max_age_s=60, now_s=NOW + 61),
    "stale-ahead": Alone(
        what="they signed over a minute ahead of your clock", finding="STALE", make=_quiet, exit_code=3, max_age_s=60, now_s=NOW - 61
    ),
    "not-pinned": Alone(what="your file names nobody", finding="NOT_PINNED", make=_quiet, exit_code=3, off=tuple(trust.FIELDS[1:6])),
    "not-pinned-one": Alone(what="your file names no operator", finding="NOT_PINNED", make=_quiet, exit_code=3, off=("operators",)),
    "root": Alone(what="log and witnesses signed another root", finding="ROOT", make=_quiet, spoil=_root),
    "header": Alone(what="a header is not the one that was logged", finding="REST_DIFFERS", make=_quiet, spoil=_headers),
    "logged-ahead": Alone(what="logged after the witnesses had signed", finding="LOGGED_AHEAD", make=_ahead),
    "stood-still": Alone(what="no heartbeat for minutes before the witnesses signed", finding="STOOD_STILL", make=_still, exit_code=3),
    "activated-late": Alone(what="in force after the broker had it", finding="ACTIVATED_AT", make=_bundle(_with_act, 5)),
    "activated-early": Alone(what="in force before the command was called", finding="ACTIVATED_AT", make=_bundle(_with_act, -5)),
    "activated-unsaid": Alone(what="in force before the broker had it, and no act", finding="ACTIVATED_AT", make=_no_acts, exit_code=3),
    "unlogged": Alone(what="a bundle that no act names", finding="UNLOGGED", make=_bundle(_without_act, 0)),
    "silent": Alone(what="every message arrives, and nobody answers", make=_silent(arrives=True), exit_code=0),
    "untold": Alone(what="no message arrives: nobody is charged", make=_silent(arrives=False), exit_code=0),
    "signed": Alone(what="signed, without words", make=_sends(signed(TRAITS)), exit_code=0),
    "signed-words": Alone(what="signed with its words", make=_sends(signed(TRAITS, words=ALL)), exit_code=0),
    "signed-words-only": Alone(
        what="`only` names a trait, and all were signed", make=_sends(signed(TRAITS, words=ALL), only=("sex",)), exit_code=0
    ),
    "signed-otherwise": Alone(
        what="another trait was signed",
        finding="SIGNED_OTHERWISE",
        make=_sends(signed(TRAITS, words={**ALL, "sex": "male"})),
    ),
    "signed-only": Alone(
        what="`only` names a trait, and that alone was signed",
        finding="SIGNED_OTHERWISE",
        make=_sends(signed(TRAITS, words={"sex": "female"}), only=("sex",)),
    ),
    "signed-capitals": Alone(
        what="the digest of the words in upper case",
        finding="SIGNED_OTHERWISE",
        make=_sends(signed(TRAITS, words=ALL, word=event_digest.digest(SALT, ALL).upper())),
    ),
    "signature-wrong": Alone(what="another path was signed", finding="SIGNATURE_WRONG", make=_sends(signed("/v1/referrals/x"))),
    "signature-unknown": Alone(what="a key that no bundle lists", finding="SIGNATURE_KEY_UNKNOWN", make=_sends(signed(TRAITS, by=0x6F))),
    "signature-later": Alone(
        what="a key that the next bundle lists",
        finding="SIGNATURE_KEY_LATER",
        exit_code=3,
        make=_sends(signed(TRAITS, by=0x62), after=_second(_listed(*BOTH))),
    ),
    "signature-revoked": Alone(
        what="a key that the newest bundle lists no more",
        finding="SIGNATURE_KEY_REVOKED",
        exit_code=3,
        make=_sends(signed(TRAITS), before=_second(_listed(LATER))),
    ),
    "signature-new": Alone(
        what="a key of less than a day, for which none vouches",
        finding="SIGNATURE_KEY_NEW",
        make=_sends(signed(TRAITS, by=0x62), before=_second(_listed(*BOTH))),
    ),
    "signature-vouched": Alone(
        what="a new key, for which the older one vouches",
        exit_code=0,
        make=_sends(signed(TRAITS, by=0x62), before=_second(_listed(*BOTH, vouched=VOUCHED))),
    ),
    "signature-reused": Alone(what="one signature in two events", finding="SIGNATURE_REUSED", make=_sends(signed(TRAITS), signed(TRAITS))),
    "signature-missing": Alone(what="the agency must sign, and has not", finding="SIGNATURE_MISSING", make=_must),
    "signature-early": Alone(
        what="the same, as the duty began",
        finding="SIGNATURE_EARLY",
        exit_code=3,
        make=_sends(None, before=_second(_listed(SCHOOL, must=True))),
    ),
}
"""Folder → export."""


def alone() -> VectorFile:
    return VectorFile("17", list(_vectors()))


def _vectors() -> Iterator[Vector]:
    for name, one in EVERY.items():
        more: dict[str, Any] = {"older_file": "older"} if one.older else {}
        if one.max_age_s is not None:
            more |= {"max_age_s": one.max_age_s, "now_s": one.now_s}
        yield good(name, what=one.what, finding=one.finding, exit_code=one.exit_code, **more)
