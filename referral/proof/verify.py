"""The whole proof over a log: is it whole, are its bytes the logged ones, and did the rules lead to its decisions?

Pure and offline: entries and keys in, a report out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from referral.errors import Malformed, NewerVersion
from referral.proof.bundles import Bundles
from referral.proof.density import Density
from referral.proof.entry import SEQUENCED, Entry, Kind
from referral.proof.genuine import genuine
from referral.proof.history import unseal
from referral.proof.reexecute import Reexecution
from referral.proof.report import Report, Weight, finding

Progress = Callable[[str], None]


def verify(entries: Iterable[Entry], keys: Mapping[str, bytes], progress: Progress = lambda stage: None) -> Report:
    """Judge a log. entries: all of them, in the order of idx. keys: case id → case key. progress: called with the name of each thing done.

    A case without a key is erased if the log says so (its integrity is proven, its contents stay unread), else unchecked.
    """
    report = Report()
    judged = genuine(entries, keys)
    density, bundles = Density(report=report, forged=judged.forged), Bundles(report=report)
    cases: dict[str, list[Entry]] = {}
    for entry in judged.entries:
        density.take(entry)
        if entry.kind is Kind.POLICY:
            bundles.take(entry)
        elif entry.case_id and entry.kind in SEQUENCED and entry.idx not in judged.forged:
            cases.setdefault(entry.case_id, []).append(entry)
        progress("entry")
    density.finish()
    broken = {found.case_id for found in report.findings if found.weight is Weight.BAD and found.idx not in judged.forged}
    for case_id, of_case in cases.items():
        report.counts["cases"] += 1
        key = keys.get(case_id)
        if case_id in broken:  # what is not whole cannot be decided again: what is missing or moved is the finding
            report.counts["cases not decided again"] += 1
        elif key is None:
            _without_key(of_case, report)
        else:
            _readable([e for e in of_case if (e.topic, case_id, e.case_seq) not in density.lost], key, report)
            Reexecution(case_id=case_id, key=key, bundles=bundles, report=report).run(of_case)
        progress("case")
    return report


def _readable(entries: list[Entry], key: bytes, report: Report) -> None:
    """Every sealed body opens under the case's key and is what its type says; routing's own are opened when they are judged."""
    for entry in entries:
        if entry.kind is Kind.DECISION:
            continue
        try:
            unseal(entry, key)
        except Malformed as error:
            report.say(finding(Weight.BAD, "SEAL" if error.reason == "seal" else "BODY", entry, f"the body was changed: {error}"))
        except NewerVersion:
            report.say(finding(Weight.UNCHECKED, "NEWER_VERSION", entry, "written by a newer program than this one"))


def _without_key(entries: list[Entry], report: Report) -> None:
    erased = next((entry for entry in entries if entry.kind is Kind.ERASURE), None)
    if erased is not None:
        report.counts["cases erased"] += 1
        report.say(finding(Weight.NOTE, "ERASED", erased, f"integrity of {len(entries)} entries proven, contents can no longer be read"))
    else:
        what = f"no key, and no erasure says why: {len(entries)} entries are whole but cannot be read"
        report.say(finding(Weight.UNCHECKED, "KEY_GONE", entries[0], what))
