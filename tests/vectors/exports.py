"""Two exports for other people's verifiers, and changes of single files that they must tell apart (section 17)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct, json, structs
from rich.progress import Progress

from referral.cli.audit.export import Export
from referral.cli.audit.export import write as written
from referral.cli.audit.source import opened_export
from referral.domain import events as e
from referral.domain.durations import MINUTE_US
from referral.domain.events import (
    Door,
    Instruction,
    KnockDisowned,
    Quarantined,
    RecordDisowned,
    ReferralSubmitted,
    RosterChanged,
    SectionDisclosed,
)
from referral.domain.inputs import ROSTER_BOOK, RecordLost, Source, derived, lost_input
from referral.domain.policy import compile
from referral.proof import archive, security
from referral.proof.act import Act, State
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import Kind
from referral.proof.heartbeat import Heartbeat
from referral.proof.reading import How, Reading
from referral.proof.verify import pinned
from referral.proof.verify.report import Report
from referral.wire.schema.load import load
from referral.wire.signed import trust, trust_lines
from referral.wire.signed.operator_word import Word
from referral.wire.signed.trust_lines import Keyword
from services.audit.self_entries import schemas
from tests.harness.audit_archive import Rows
from tests.harness.made_child import CHILD, ordered
from tests.harness.made_log import policy
from tests.vectors import own
from tests.vectors.form import VectorFile, good, plain, secret
from tests.vectors.line import BEGIN, END, SIGNS, Line, Lived, rules
from tests.vectors.order import ACTING, LINES, PEOPLE
from tests.vectors.people import ASKS, by_http, erased
from tests.vectors.signatures import SIGNERS, bundle, opened

CHECKOUT = Path(__file__).parents[2]
SIGNING = b"".join(trust_lines.key_line(Keyword.POLICY_SIGNER, name, key) for name, key in SIGNERS.items())
POLICY = policy() + LINES + PEOPLE + ACTING + SIGNING
AUDITOR = X25519PrivateKey.from_private_bytes(bytes([0x79]) * 32)
ERASED, LOSES = (f"00000000-0000-4000-8000-0000000000{n:02}" for n in (71, 72))


def begun(line: Line) -> Line:
    """A log begins: whom to believe, the schemas, the policy, and the act that put it in force."""
    line.own(Kind.KEYS, POLICY)
    for said in schemas(load(CHECKOUT / "schemas" / "avro")):
        line.own(Kind.SCHEMA, said.value, said.type, said.fingerprint)
    body = rules()
    line.open_record(body, "1", "routing")
    line.own(Kind.ADMINISTRATION, act("policy activate", BEGIN, ("policy:1", f"digest:{body.digest[:16]}")).encode())
    return line


def clean() -> Line:
    """A log with every kind but FORK, and every procedure. `verify` finds nothing bad, and nothing unchecked."""
    line = begun(Line(policy=compile(rules().files)))
    world = Lived(line)
    world.run(END - 6 * MINUTE_US)
    line.now, free = END - 6 * MINUTE_US, world.beds.free
    _is_erased(line, free)
    _loses_a_record(line, free)
    line.put("referral-policy", 0, b"x", b"hello")
    twin = next(one for one in line.entries if one.kind is Kind.EVENT)
    line.put(twin.topic, (twin.partition + 1) % 12, twin.key or b"", twin.value, twin.headers)
    line.publish(
        ROSTER_BOOK,
        [RosterChanged(at=line.now, changed_by=derived(ROSTER_BOOK, "head"), rows=(), thrown_away=0)],
        derived(ROSTER_BOOK, "one"),
        "notifier",
    )
    for vector in opened().vectors:
        if vector["good"] and vector["type"].startswith(("figure", "release")):
            line.open_record(vector["record"], vector["key_text"], "oversight")
    line.own(Kind.READING, Reading(reader="operator", how=How.EXPORT, lent="cd" * 32).encode())
    line.own(Kind.ADMINISTRATION, structs.replace(own.PLAIN, at=line.now, second=_word(line.now)).signed(secret(0x31)).encode())
    world.run(END - 3 * MINUTE_US)
    beats(line, 3)
    return line


def forged() -> Line:
    """The same, and behind it records and acts of somebody who took over one power each."""
    line = clean()
    line.now = END
    case_id = next(one for one, case in line.cases.items() if not case.closed)
    forged_answer = e.ReferralWithdrawn(referral_id=case_id, agency=SIGNS, reason="other", received_at=line.now)
    line.publish(case_id, [forged_answer], derived(case_id, "forged"), "intake", by="nobody")
    line._seqs["referral-intake", case_id] -= 1
    read = SectionDisclosed(agency=SIGNS, section="identity", basis="desk", at=line.now)
    line.publish(case_id, [read], derived(case_id, "true"), "intake")
    one = rules()
    line.open_record(bundle(2, {**one.files, "codes.yaml": b"forged"}, one.digest, (0x21,), at=line.now, valid_from=0), "2", "routing")
    line.own(Kind.ADMINISTRATION, act("staff password", line.now, ("account:a1",)).encode())
    line.own(Kind.COVER, bytes([0xC0]) * 17)
    gone = erased(of=case_id, case=case_id, approves=ASKS, records=1, approved_at=line.now, requested_at=line.now)
    line.publish(case_id, [gone], derived(case_id, "erased"), "intake")
    return line


def act(command: str, at: int, about: tuple[str, ...]) -> Act:
    """An act of one operator."""
    plain_act = Act(
        id=derived(ERASED, f"{command}{at}").replace("-", ""),
        command=command,
        state=State.DONE,
        by=own.FIRST,
        at=at,
        arguments="0b" * 32,
        about=about,
    )
    return plain_act.signed(secret(0x31))


def _word(at: int) -> Word:
    return own.word(until=at // 1_000_000 + 3600)


def refer(case_id: str, at: int) -> ReferralSubmitted:
    """The school's referral, which it signed."""
    plain_body: dict[str, Any] = {
        "referral_id": derived(case_id, "referral"),
        "agency": SIGNS,
        "door": Door.HTTP,
        "opens": True,
        "traits": CHILD,
    }
    return ReferralSubmitted(**plain_body, sections=("identity",), received_at=at, signed=by_http("/v1/referrals", agency=SIGNS))


def _is_erased(line: Line, free: Mapping[str, int]) -> None:
    """A case is referred, read, closed by a desk, and erased by two persons."""
    line.take(ERASED, refer(ERASED, line.now), line.now, free)
    line.now += MINUTE_US
    line.publish(
        ERASED, [SectionDisclosed(agency=SIGNS, section="identity", basis="own-referral", at=line.now)], derived(ERASED, "read"), "intake"
    )
    line.take(ERASED, ordered(Instruction.CLOSE, derived(ERASED, "close"), line.now, derived(ERASED, "desk")), line.now, free)
    assert line.cases[ERASED].closed
    line.now += MINUTE_US
    body = erased(of=ERASED, case=ERASED, records=3, requested_at=line.now, approved_at=line.now)
    line.publish(ERASED, [body], derived(ERASED, "erased"), "intake")
    del line.keys[ERASED]


def _loses_a_record(line: Line, free: Mapping[str, int]) -> None:
    """A record of a case never reaches audit, a quarantine record accounts for it, and routing asks a desk."""
    line.take(LOSES, structs.replace(refer(LOSES, line.now), signed=None), line.now, free)
    line._seqs["referral-intake", LOSES] += 1
    place = Source(
        topic="referral-intake", partition=line.entries[-1].partition, offset=line._offsets["referral-intake", line.entries[-1].partition]
    )
    line._offsets[place.topic, place.partition] += 1
    body = Quarantined(
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        reader="routing",
        reason="body",
        case_id=LOSES,
        case_seq=2,
        at=line.now,
        nonce=bytes(12),
        sealed=bytes(16),
        length=0,
        sha256=None,
    )
    line.open_record(body, f"routing/{place.topic}/{place.partition}/{place.offset}", "routing")
    line.decide(lost_input(LOSES, RecordLost(topic=place.topic, seq=2, reason="body"), place), free)
    for disowned in (RecordDisowned(sequence=2, offset=place.offset), KnockDisowned(sequence=1, offset=place.offset)):
        line.take(LOSES, disowned, line.now, free)
    line.publish(LOSES, [SectionDisclosed(agency=SIGNS, section="identity", basis="desk", at=line.now)], derived(LOSES, "read"), "intake")


def beats(line: Line, count: int) -> None:
    """Heartbeats, a minute apart, one of which seals a security event; and cover up to a whole block."""
    for left in range(count - 1, -1, -1):
        line.now = END - left * MINUTE_US
        seal: dict[str, Any] = {"events": 1, "seal": security.root([own.ROW])} if left == 1 else {}
        line.own(Kind.HEARTBEAT, Heartbeat(ends={"referral-policy": [1]}, unread={}, drill=False, salt=f"{left:032}", **seal).encode())
    while len(line.entries) % 96:
        line.own(Kind.COVER, derived(ERASED, f"cover:{len(line.entries)}").encode()[:16])


class Asked(Struct, frozen=True, kw_only=True):
    """Case of an auditor: what is had and asked besides the export.

    older: makes an older checkpoint. max_age_s: seconds within which the witnesses must have signed, before `now_s`. off: fields of
    `trust.toml` that name nobody. spoil: changes the files of the export.
    """

    older: Callable[[Line], bytes] | None = None
    max_age_s: int | None = None
    now_s: int = 0
    off: tuple[str, ...] = ()
    spoil: Callable[[Path, Line], None] | None = None


NOTHING = Asked()


def export(folder: Path, line: Line, asked: Asked = NOTHING) -> Report:
    """Write an export with what belongs beside it, and return what `verify` finds in it."""
    folder.mkdir(parents=True)
    there = Rows(line.entries)
    for entry in line.entries:
        if entry.case_id == ERASED and entry.kind is Kind.DISCLOSURE:
            there.payloads[entry.idx] = None
    published = archive.trusted(there, None)
    assert published is not None
    to = folder / "export"
    written(Export(folder=to, there=there, published=published, policy=POLICY, keys=line.keys, auditor=AUDITOR.public_key()), lambda: None)
    (folder / "auditor.key").write_bytes(AUDITOR.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    believed = turned_off(trust.imported(POLICY).written().decode(), asked.off).encode()
    (folder / "trust.toml").write_bytes(believed)
    older = asked.older(line) if asked.older else None
    if older:
        (folder / "older").write_bytes(older)
    if asked.spoil:
        asked.spoil(to, line)
    report = judged(to, line.keys, trust.read(believed).logged(), older, asked)
    findings = sorted((f.idx if f.idx is not None else -1, f.code, f.weight.name.lower()) for f in report.findings)
    counts = {name: number for name, number in report.counts.items() if not name.startswith("decisions by")}  # those need the rules
    told = {"exit_code": report.exit_code(), "findings": findings, "counts": counts, "case_keys": plain(line.keys)}
    if asked.max_age_s is not None:
        told |= {"max_age_s": asked.max_age_s, "now_s": asked.now_s}
    (folder / "expected.json").write_bytes(json.format(json.encode(told), indent=1) + b"\n")
    return report


def turned_off(text: str, fields: Sequence[str]) -> str:
    """Return `trust.toml` with these fields off."""
    kept = [line for line in text.splitlines(keepends=True) if re.split(r"[ .]", line)[0] not in fields]
    return "".join(kept) + "".join(f'{field} = "off"\n' for field in fields)


def judged(folder: Path, keys: Mapping[str, bytes], policy: bytes = POLICY, older: bytes | None = None, asked: Asked = NOTHING) -> Report:
    options = VerifyOptions(keys=keys, pinned=policy, since=older, max_age=asked.max_age_s, now=asked.now_s)
    report = judge(opened_export(folder), options, Progress(disable=True)).report
    for found in pinned.findings(policy):
        report.add_finding(found)
    return report


MUTATIONS: tuple[tuple[str, str, str], ...] = (
    ("tile/0/000", "flip", "TILE"),
    ("tile/0/000", "cut", "TILE"),
    ("tile/0/000", "remove", "TILE"),
    ("tile/1/000.p/*", "flip", "TILE"),
    ("tile/entries/000", "append", "BUNDLE"),
    ("tile/entries/000", "flip", "TILE"),
    ("tile/entries/*.p/*", "remove", "TILE"),
    ("payload/000", "cut", "PAYLOAD"),
    ("payload/000", "append", "PAYLOAD"),
    ("payload/*.p/*", "flip", "HASH_DIFFERS"),
    ("payload/*.p/*", "remove", "PAYLOAD_GONE"),
    ("witness.policy", "append", "FILE_DIFFERS"),
    ("schemas/leaf.v3.*", "append", "FILE_DIFFERS"),
    ("checkpoint", "size", "SIGNATURE"),
)
"""File of `clean` (the first that fits), what is done to it (section 17 of the page says each), and a finding of that."""


def mutations() -> VectorFile:
    return VectorFile("17", [good(f"{done} {file}", file=file, done=done, finding=code, exit_code=1) for file, done, code in MUTATIONS])


def mutated(folder: Path, file: str, done: str) -> Callable[[], None]:
    """Change a file of an export, and return what changes it back."""
    path = next(iter(sorted(folder.glob(file))))
    data = path.read_bytes()
    match done:
        case "flip":
            path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        case "cut":
            path.write_bytes(data[:-1])
        case "append":
            path.write_bytes(data + (b"\n" if path.suffix in (".policy", ".avsc") else b"\0"))
        case "remove":
            path.unlink()
        case "size":
            lines = data.split(b"\n")
            path.write_bytes(b"\n".join([lines[0], b"%d" % (int(lines[1]) - 1), *lines[2:]]))
    return lambda: (path.write_bytes(data), None)[1]


def procedures(line: Line) -> Iterator[str]:
    """Yield the procedure of each track of a log."""
    for case in line.cases.values():
        yield from (track.pathway for track in case.tracks)
