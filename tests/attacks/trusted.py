"""Attacks upon whom an auditor believes: a log that names its own writers and signers, a record that wears the verdict out, and a token of
one operator in an office's name. (N14, N22, N28 of the second review.)"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from rich.progress import Progress

from referral.domain.events import Word
from referral.proof import act as acts
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import Entry, Kind
from referral.proof.history.timeline import own_line
from referral.proof.reading import How, Reading
from referral.proof.verify import known, pinned
from referral.proof.verify.known import Known
from referral.proof.verify.report import Report, Weight
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire.signed import trust_lines
from referral.wire.signed.trust_lines import Keyword
from services.audit.ingest import Says, ingest
from tests.attacks.administrators import alone
from tests.attacks.ground import Attack, Noticed, copy
from tests.attacks.policies import BAD, put
from tests.harness import erased, made_log, policies, two_operators, writers
from tests.harness.audit_log import FILES, Log, asked, named, response, story
from tests.harness.made_log import ORIGIN
from tests.unit.proof.test_branches import write
from tests.unit.proof.test_verify import forged

HOST, VANDAL, ALONE = "whoever makes the log, and names in it whom to believe", "writes the topic", "one operator"
VERIFY, KNOWN, REPLAY = "verify", "verify --known", "replay"
OFFICE = SignerKey("ombudsperson.example/known", ED25519, bytes(range(32)))
PIN = trust_lines.pin_line(1, policies.bundle(1, FILES).digest)
ALL = made_log.policy() + policies.LINES + PIN + writers.LINES + erased.LINES + two_operators.LINES
ALL += b"".join(map(trust_lines.intake_line, erased.INTAKE.intake))
"""An auditor's own file that names everybody."""


def judged(log: Log, mine: bytes) -> Report:
    """Judge an export of the log, as an auditor does who has this file."""
    report = judge(copy(log.entries), VerifyOptions(keys=log.keys, pinned=mine), Progress(disable=True)).report
    report.findings += pinned.findings(mine)
    return report


def said(log: Log, mine: bytes, code: str) -> Noticed:
    """What the verdict says of it under this code; nothing where the exit code is 0."""
    report = judged(log, mine)
    return {VERIFY: next((str(f) for f in report.findings if f.code == code and report.exit_code()), "")}


def other_signers(mine: bytes, code: str) -> Noticed:
    """The log names signers of its own, and they sign the bundle that decides about children."""
    log, own = Log(), (policies.STRANGER, policies.KEEPER)
    lines = b"".join(trust_lines.key_line(Keyword.POLICY_SIGNER, f"s{n}", key.public_key().public_bytes_raw()) for n, key in enumerate(own))
    log.entries += ingest([], log._known, [Says(Kind.KEYS, made_log.policy() + lines + PIN)]).entries
    put(log, policies.bundle(2, BAD, at=log.now, before=FILES, keys=own))
    return said(log, mine, code)


def another_writer(mine: bytes, code: str) -> Noticed:
    """The log names routing's key as one of intake's, so that whoever has it answers for the police."""
    log = Log(signed=True)
    named(log, more=trust_lines.key_line(Keyword.WRITER, "intake", writers.WRITERS.keys["routing"][0]))
    case_id, offer = asked(log, "child")
    write(log, case_id, response(offer, Word.ACCEPT, "forged"), 2, cause=case_id, by="routing")
    return said(log, mine, code)


def worn_out() -> Noticed:
    """One junk record is the first line of every verdict, for ever; later a payload is taken away."""
    log = Log(signed=True)
    story(log)
    forged(log, 3)
    before = judged(log, ALL).findings
    data = Known(ORIGIN).with_rows([f for f in before if known.may(f)], "file 7 of 2027").signed(OFFICE)
    office = known.parse(data, OFFICE.verifier)
    quiet = judged(log, ALL)
    known.acknowledge(quiet, office, ORIGIN)
    case_id = story(log, "two")
    gone = next(e.idx for e in reversed(log.entries) if e.case_id == case_id)
    there = copy(log.entries)
    there.payloads[gone] = None
    report = judge(there, VerifyOptions(keys=log.keys, pinned=ALL), Progress(disable=True)).report
    hidden = report.first_bad()
    known.acknowledge(report, office, ORIGIN)
    first = report.first_bad()
    told = not quiet.exit_code() and hidden and hidden.idx != gone and first and first.idx == gone
    return {KNOWN: f"{len(report.known)} known; {first}" if told else ""}


def in_an_offices_name() -> Noticed:
    """One operator makes a token with the Ombudsperson's name, and reads a case with it."""
    token, log = acts.token(b"of an operator" * 3), Log()
    reading = Reading(reader="ombudsperson2", how=How.PAGE, cases=("c",), token=token)
    says = [
        Says(Kind.KEYS, made_log.policy() + two_operators.LINES),
        Says(Kind.ADMINISTRATION, alone("audit token", "office:ombudsperson2", token).encode()),
        Says(Kind.READING, reading.encode()),
    ]
    log.entries += ingest([], log._known, says).entries
    report = judged(log, ALL)
    found = {f.code: f for f in report.findings if f.weight is Weight.BAD or f.code == "READ"}
    leads = token in found["READ"].what and token in found["ACT_ALONE"].what
    lines = [own_line(entry).what for entry in log.entries if _own(entry)]
    return {
        VERIFY: str(found["ACT_ALONE"]) if leads else "",
        REPLAY: lines[1] if len(lines) == 2 and all(token in line for line in lines) and "operator/keeper" in lines[0] else "",
    }


def _own(entry: Entry) -> bool:
    return entry.kind in (Kind.ADMINISTRATION, Kind.READING)


def attacks() -> Iterator[Attack]:
    bare, must = made_log.policy(), (VERIFY,)
    for what, run, code in (
        ("the log names signers of its own, who sign a bundle (N14)", other_signers, "POLICY_FORGED"),
        ("the log names a writer of its own, who forges an acceptance (N14)", another_writer, "WRITER"),
    ):
        yield Attack(what=f"{what}; the auditor's file names the log alone", power=HOST, must=must, run=partial(run, bare, "NOT_PINNED"))
        yield Attack(what=f"{what}; the auditor's file names everybody", power=HOST, must=must, run=partial(run, ALL, code))
    yield Attack(what="a junk record wears the verdict out, and a payload goes (N22)", power=VANDAL, must=(KNOWN,), run=worn_out)
    both = (VERIFY, REPLAY)
    yield Attack(what="a token in an office's name, and a case read with it (N28)", power=ALONE, must=both, run=in_an_offices_name)
