"""`referral audit replay --policy`: decide the recorded cases again under another policy, and report those that take another course."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.progress import Progress

from referral.cli import console
from referral.cli.audit.source import Keys
from referral.cli.policy import activate
from referral.cli.policy.simulate_report import print_differences
from referral.domain.policy import Policy, PolicyErrors
from referral.domain.policy import policy as domain
from referral.errors import Rejected
from referral.proof.counterfactual import Elsewhere
from referral.proof.entry import Kind
from referral.proof.lookup import Casebook
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report


def elsewhere(book: Casebook, keys: Keys, folder: Path, case: str, as_json: bool) -> int:
    """Compare the cases and print the result; return the exit code. case: only this one; empty for all."""
    try:
        other = domain.compile(activate.read(folder))
    except PolicyErrors as error:
        console.wrong(error.errors)
        return 1
    with console.progress(quiet=as_json) as bar:
        found = compare(book, keys([case] if case else None), other, case, bar)
    if case and not found.cases and not found.unchecked:
        raise Rejected("unknown-case", "--case", "the log has no decision of this case; audit may lag by a second")
    if as_json:
        console.document(_document(found))
    else:
        _print(found, other)
    return 3 if found.unchecked else 0


def compare(book: Casebook, keys: Mapping[str, bytes], other: Policy, case: str = "", bar: Progress | None = None) -> Elsewhere:
    """Compare every case of the log, one in memory at a time; for the others only their indexes are held.

    Malformed, NewerVersion: an entry.
    """
    bundles = Bundles(report=Report())
    places = book.cases(lambda _, said: said.kind is Kind.POLICY or (bool(said.case_id) and case in ("", said.case_id)))
    for entry in book.of(places.pop("", []))[0]:
        bundles.take(entry)
    task = bar.add_task("cases decided again", total=len(places)) if bar else None
    told = Elsewhere()
    for case_id, where in sorted(places.items()):
        told.take(case_id, book.of(where)[0], keys.get(case_id), bundles.policy, other)
        if bar and task is not None:
            bar.advance(task)
    return told


def _print(found: Elsewhere, other: Policy) -> None:
    console.console.print(f"{found.cases} cases with {found.inputs} decisions from the log, decided again", soft_wrap=True)
    print_differences(found.differences, found.cases, other)
    if found.unused:
        console.console.print(
            f"\n{found.unused} recorded inputs come after the point where their case goes elsewhere. They answer offers that were "
            "really made, so they say nothing about what would have followed: `referral policy simulate --against` does, with made-up "
            "cases.",
            soft_wrap=True,
        )
    if found.assumed:
        console.console.print(f"{found.assumed} times a free place was not on record; the service was taken to be empty", soft_wrap=True)
    for why, count in found.unchecked.most_common():
        console.console.print(f"NOT COMPARED: {count} cases, {why}", soft_wrap=True)


def _document(found: Elsewhere) -> dict[str, object]:
    moved = [{"kind": k, "pathway": p, "municipality": m, "cases": n} for (k, p, m), n in sorted(found.differences.elsewhere.items())]
    return {
        "cases": found.cases,
        "decisions": found.inputs,
        "elsewhere": moved,
        "told_otherwise": found.differences.said,
        "names": found.differences.names,
        "examples": found.differences.examples,
        "unused_inputs": found.unused,
        "assumed_places": found.assumed,
        "not_compared": dict(found.unchecked),
    }
