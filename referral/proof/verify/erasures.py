"""Judge the erasure of a case without its key: who asked for it, that the case was closed, and how much it says was there. Pure."""

from __future__ import annotations

from referral.domain.events import CaseErased
from referral.errors import Malformed, NewerVersion
from referral.proof.entry import Entry, Kind
from referral.proof.history.case import unseal
from referral.proof.verify.facts import closes, ends
from referral.proof.verify.report import Report, Weight, finding


def without_key(entries: list[Entry], report: Report) -> None:
    """Report that a case cannot be read, and the erasure that says why."""
    erased = next((entry for entry in entries if entry.kind is Kind.ERASURE), None)
    if erased is not None:
        report.counts["cases erased"] += 1
        report.add_finding(
            finding(Weight.NOTE, "ERASED", erased, f"{_under(erased)}: {len(entries)} entries are whole, no longer to be read")
        )
        _counted(erased, report)
    else:
        what = f"no key, and no erasure says why: {len(entries)} entries are whole but cannot be read"
        report.add_finding(finding(Weight.UNCHECKED, "KEY_GONE", entries[0], what))


def closed_before(entries: list[Entry], erased: Entry, report: Report) -> None:
    """Check that the case was closed when its erasure was approved. Types and times are readable without a key.

    The check compares times, not indexes: audit may log an older record of another topic later.
    """
    erasure = _erasure_in(erased)  # its time cannot be later than that of its record: a later one would wait for the case's end
    at = min(erasure.approved_at, erased.recorded_at) if erasure is not None else erased.recorded_at
    deciding = [e for e in entries if e.kind is Kind.DECISION and e.recorded_at <= at and ends(e.type)]
    last = max(deciding, key=lambda entry: entry.case_seq, default=None)
    if last is None or not closes(last.type):
        what = "the case was open when its erasure was approved: a child's open case was destroyed, and no deadline of it passes any more"
        report.add_finding(finding(Weight.BAD, "ERASURE_OPEN", erased, what))


def _under(erased: Entry) -> str:
    """Return who requested and approved the erasure, in words."""
    erasure = _erasure_in(erased)
    if erasure is None or erasure.approved_by is None:
        return f"erased under entry {erased.idx}, which does not say by whom"
    return f"erased under entry {erased.idx} ({erasure.basis}), asked for by {erasure.requested_by}, approved by {erasure.approved_by}"


def _counted(erased: Entry, report: Report) -> None:
    """Compare the erasure's number of records with the log. A record that killed its reader may never have been published."""
    erasure = _erasure_in(erased)
    if erasure is not None and erasure.approved_by is not None and erasure.records != erased.case_seq - 1:
        what = f"the erasure speaks of {erasure.records} records of the case, the log has {erased.case_seq - 1} before it"
        report.add_finding(finding(Weight.UNCHECKED, "ERASURE_COUNT", erased, what))


def _erasure_in(erased: Entry) -> CaseErased | None:
    try:
        body = unseal(erased, None).body
    except (Malformed, NewerVersion):
        return None
    return body if isinstance(body, CaseErased) else None
