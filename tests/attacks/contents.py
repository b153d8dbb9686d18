"""Attacks upon records, decisions, files and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

from msgspec import structs

from referral.domain.events import OfferOpened, PolicyActivated, ReferralSubmitted
from referral.errors import Malformed
from referral.proof.archive import Payload
from referral.proof.entry import ROUTING, Entry, Kind, digest, plain
from referral.proof.history.case import unseal
from referral.wire import codec, policy_digest, seal
from services.audit.ingest import Says, ingest
from services.audit.tree import Head, grow
from tests.attacks.ground import Attack, Copy, Noticed, copy, honest, signed, verify
from tests.attacks.history import ABOVE
from tests.harness.audit_archive import Rows
from tests.harness.audit_log import MINUTE, Log, closed, erase, story
from tests.harness.made_log import WITNESSES
from tests.harness.signing_school import KEY, activate, by_http, refer

TABLE = "writes the table or the folder"
CASE_KEY = "with the keys of the log and of the case, above the witnessed size"


def payload(change: Callable[[Payload], Payload | None], at: int = 30) -> Noticed:
    """The leaf and the tree stay."""
    there = copy()
    kept = there.payloads[at]
    assert kept is not None
    there.payloads[at] = change(kept)
    return {"verify": verify(there)}


def stolen_after_erasure() -> Noticed:
    """What is gone is gone in an erased case, and in another one."""
    log = Log()
    erased = story(log, "erased")
    story(log, "other")
    closed(log, erased)
    erase(log, erased)
    del log.keys[erased]
    there = copy(log.entries)
    there.payloads[4] = None
    assert not verify(there, keys=log.keys), "an erased payload is no finding"
    there.payloads[20] = None
    return {"verify": verify(there, keys=log.keys)}


def columns() -> Noticed:
    """A row is hidden from whoever searches for its case."""
    there = Rows(honest().entries)
    there.columns[30][6] = ""
    return {"verify": verify(there)}


def stripped(reseal: bool) -> Noticed:
    """An agency that must sign has signed; somebody takes the signature out of the event."""
    log = Log()
    activate(log, 2, KEY, must=True)
    log.now += 10 * MINUTE
    refer(log, by_http())
    at, entry = next((n, e) for n, e in enumerate(log.entries) if e.type == ReferralSubmitted.TYPE)
    body = structs.replace(unseal(entry, log.keys[entry.case_id]).body, signed=None)
    key = log.keys[entry.case_id] if reseal else bytes(32)
    log.entries[at] = sealed(entry, key, codec.encode(body))
    return {"verify": verify(copy(log.entries), keys=log.keys)}


def sealed(entry: Entry, key: bytes, body: bytes) -> Entry:
    """The entry of another body."""
    value = seal.seal(key, entry.topic, seal.open(entry.value).meta, body, bytes(12))
    return structs.replace(entry, value=value, sha256=digest(value))


def substituted(**other: object) -> Noticed:
    """The leaf says another thing than the record beside it."""
    entries = [*honest().entries]
    entries[305] = structs.replace(entries[305], **other)
    return {"verify": verify(copy(entries))}


def decision() -> Noticed:
    """Another agency was asked than the rules say, under a good seal."""
    entries, keys = [*honest().entries], honest().keys
    at = next(n for n, e in enumerate(entries) if n >= 300 and e.type == OfferOpened.TYPE)
    body = structs.replace(unseal(entries[at], keys[entries[at].case_id]).body, agency="police-prishtine")
    entries[at] = sealed(entries[at], keys[entries[at].case_id], codec.encode(body))
    return {"verify": verify(copy(entries))}


def rules(digest_too: bool) -> Noticed:
    """The policy bundle in the log is another one than decisions were made by."""
    entries = [*honest().entries]
    body = plain(entries[0])
    assert isinstance(body, PolicyActivated)
    name = next(name for name, data in sorted(body.files.items()) if b"within: 15 min" in data or b"15 min" in data)
    files = {**body.files, name: body.files[name].replace(b"15 min", b"50 min")}
    body = structs.replace(body, files=files, digest=policy_digest.digest(files) if digest_too else body.digest)
    entries[0] = structs.replace(entries[0], value=codec.encode(body), sha256=digest(codec.encode(body)))
    return {"verify": verify(copy(entries))}


def clock() -> Noticed:
    entries = [structs.replace(e, logged_at=1_000 if e.idx < 310 else 999) for e in honest().entries]
    return {"verify": verify(copy(entries))}


def damaged(path: str, change: Callable[[bytes], bytes]) -> Noticed:
    """One file of the log; the tree takes no further leaf upon it, where it is on the right edge."""
    there = copy()
    read = there.read

    def other(asked: str) -> bytes | None:
        data = read(asked)
        return change(data) if asked == path and data is not None else data

    there.read = other  # type: ignore[method-assign]
    said = {"verify": verify(there)}
    if path.startswith("tile/0/001"):
        edge = there.tree.edge
        try:
            grow(Head(structs.replace(edge, rows=(change(edge.rows[0]), *edge.rows[1:])), edge.root, 0), [b"next"], 0)
        except Malformed as error:
            said["ingest"] = str(error)
    return said


def lost_end() -> Noticed:
    """The last entries of a bundle are gone, while the tiles and the checkpoint stay."""
    there = copy()
    for held in (there.entries, there.leaves, there.payloads, there.columns):
        del held[-8:]
    return {"verify": verify(there)}


def cover_carries() -> Noticed:
    """Audit lends the key of a case to whoever has an export without keys: in two entries of cover, which are random bytes."""
    key = next(iter(honest().keys.values()))
    cover = [Says(Kind.COVER, key[:16]), Says(Kind.COVER, key[16:])]
    log = Log()
    log.entries += ingest([], log._known, cover).entries
    silent = not verify(copy(log.entries), keys=log.keys)
    return {"nobody": "nobody can tell cover from a key: both are random bytes" if silent else ""}


class Tampered(Copy):
    """An export of the honest log in which one file is another, or gone."""

    def __init__(self, path: str, change: Callable[[bytes], bytes | None]) -> None:
        super().__init__(honest().entries)
        self.path, self.change = path, change

    def read(self, path: str) -> bytes | None:
        data = super().read(path)
        return self.change(data) if path == self.path and data is not None else data


def tampered() -> Noticed:
    """One file of an export after another is torn or taken away. Silent if one of them is not noticed."""
    changes: tuple[Callable[[bytes], bytes | None], ...] = (lambda data: data[: len(data) // 2], lambda _: None)
    paths = ("checkpoint", "tile/0/000", "tile/entries/000", "payload/000")
    said = [verify(Tampered(path, change)) for path in paths for change in changes]
    return {"verify": said[-1] if all(said) else ""}


def dropped() -> Noticed:
    """A record is lost before audit reads it: it sees the gap itself, and so does verify."""
    log, lost = Log(), Log()
    story(log)
    at = next(e for e in log.entries if e.topic == ROUTING and e.case_seq == 4)
    for entry in log.entries[1:]:
        if entry.idx != at.idx:
            lost.put(entry.topic, entry.partition, entry.key or b"", entry.value, entry.headers)
    gap = next((e for e in lost.entries if e.kind is Kind.GAP), None)
    return {"verify": verify(copy(lost.entries), keys=log.keys), "ingest": "" if gap is None else f"entry {gap.idx}: {gap.value.decode()}"}


def repeated() -> Noticed:
    """A second record with a sequence that exists, under the case's key: two writers of one partition, or a republication that differs."""
    log = Log()
    story(log)
    entry = next(e for e in log.entries if e.topic == ROUTING and e.case_seq == 4)
    other = sealed(entry, log.keys[entry.case_id], codec.encode(unseal(entry, log.keys[entry.case_id]).body))
    log.put(entry.topic, entry.partition, entry.key or b"", other.value, entry.headers)
    fork = next((e for e in log.entries if e.kind is Kind.FORK), None)
    return {"verify": verify(copy(log.entries), keys=log.keys), "ingest": "" if fork is None else f"entry {fork.idx} is logged as a fork"}


@cache
def notes() -> dict[str, bytes]:
    """Ways to spell the checkpoint that a strict reader refuses."""
    good = signed()
    text, signatures = good.split(b"\n\n")
    origin, size, _ = text.split(b"\n")
    lines = signatures.splitlines(keepends=True)
    return {
        "leading zeros": good.replace(b"\n" + size + b"\n", b"\n0" + size + b"\n", 1),
        "NUL": good.replace(origin, origin + b"\0", 1),
        "U+2028": good.replace(origin, origin + "\u2028".encode(), 1),
        "CRLF": good.replace(b"\n", b"\r\n"),
        "more than 100 signatures": text + b"\n\n" + lines[0] * 101,
        "an extension line": good.replace(b"\n\n", b"\nmore\n\n", 1),
        "a bad signature in a known name": text + b"\n\n" + lines[0].replace(lines[0][-12:-4], b"AAAAAAAA") + b"".join(lines[1:]),
        "one witness's signature for another's": text + b"\n\n" + b"".join([lines[0], *[lines[1]] * len(WITNESSES)]),
        "no last newline": good[:-1],
    }


def malformed(name: str) -> Noticed:
    there = copy()
    there.checkpoint = notes()[name]
    return {"verify": verify(there)}


def harmless() -> Noticed:
    """A signature that comes twice, and one of an unknown key, are passed over as the standard says: the log stays good."""
    there, good = copy(), signed()
    unknown = "— stranger.example/x ".encode() + b"A" * 96 + b"\n"
    there.checkpoint = good + good.split(b"\n\n")[1].splitlines(keepends=True)[0] + unknown
    return {"nobody": "" if verify(there) else "passed over, and the log stays good"}


def attacks() -> Iterator[Attack]:
    last = len(honest().entries) - 256
    alone: tuple[tuple[str, str, tuple[str, ...], Callable[[], Noticed]], ...] = (
        ("edit a payload only: the value", TABLE, ("verify",), partial(payload, lambda p: structs.replace(p, value=p.value + b"x"))),
        ("edit a payload only: the key", TABLE, ("verify",), partial(payload, lambda p: structs.replace(p, key=b"x"))),
        ("edit a payload only: a header", TABLE, ("verify",), partial(payload, lambda p: structs.replace(p, headers=p.headers[1:]))),
        ("steal a payload", TABLE, ("verify",), partial(payload, lambda _: None)),
        ("steal a payload beside an erased one", TABLE, ("verify",), stolen_after_erasure),
        ("lose the last entries, while the tiles stay", TABLE, ("verify",), lost_end),
        ("hide a row from searches", TABLE, ("verify",), columns),
        ("an event dropped before the log", "writes the topic", ("verify", "ingest"), dropped),
        ("an event repeated with other bytes", "writes the topic, with the case's key", ("verify", "ingest"), repeated),
        ("a signature stripped", "with the log's key", ("verify",), partial(stripped, False)),
        ("a signature stripped", CASE_KEY, ("verify",), partial(stripped, True)),
        ("type substituted", ABOVE, ("verify",), partial(substituted, type="offer-closed.v1")),
        ("topic substituted", ABOVE, ("verify",), partial(substituted, topic="referral-notification")),
        ("key substituted", ABOVE, ("verify",), partial(substituted, key=b"another case")),
        ("case substituted", ABOVE, ("verify",), partial(substituted, case_id=honest().entries[3].case_id)),
        ("a decision altered", CASE_KEY, ("verify",), decision),
        ("the rules changed silently", ABOVE, ("verify",), partial(rules, False)),
        ("the rules changed silently, with their digest", ABOVE, ("verify",), partial(rules, True)),
        ("the log's clock set back", ABOVE, ("verify",), clock),
        ("a full tile corrupted", TABLE, ("verify",), partial(damaged, "tile/0/000", lambda d: d[:-1] + bytes([d[-1] ^ 1]))),
        (
            "the partial tile corrupted",
            TABLE,
            ("verify", "ingest"),
            partial(damaged, f"tile/0/001.p/{last}", lambda d: bytes([d[0] ^ 1]) + d[1:]),
        ),
        ("a bundle corrupted", TABLE, ("verify",), partial(damaged, "tile/entries/000", lambda d: d[:9] + bytes([d[9] ^ 1]) + d[10:])),
        ("a torn write of a tile", "the disk", ("verify",), partial(damaged, "tile/0/000", lambda d: d[:4096])),
        ("a torn write of a bundle", "the disk", ("verify",), partial(damaged, "tile/entries/000", lambda d: d[:4096])),
        ("a torn write of payloads", "the disk", ("verify",), partial(damaged, "payload/000", lambda d: d[: len(d) // 2])),
    )
    for what, power, must, run in alone:
        yield Attack(what=what, power=power, must=must, run=run)
    yield Attack(what="files of an export torn or taken away (T)", power=TABLE, must=("verify",), run=tampered)
    yield Attack(what="keys hidden in cover (N27)", power="with the log's key", must=("nobody",), run=cover_carries)
    for name in notes():
        yield Attack(what=f"a malformed note: {name}", power=TABLE, must=("verify",), run=partial(malformed, name))
    yield Attack(what="a note with a repeated and an unknown signature", power=TABLE, must=("nobody",), run=harmless)
