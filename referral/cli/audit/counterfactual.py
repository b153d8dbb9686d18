"""`referral audit replay --policy`: decide the recorded cases again under another policy, and report those that take another course."""

from __future__ import annotations

from collections.abc import Mapping

from rich.progress import Progress

from referral.cli import console
from referral.cli.audit.source import Keys
from referral.cli.policy.simulate import print_differences
from referral.domain.policy import Policy, PolicyErrors
from referral.domain.policy import policy as domain
from referral.errors import Rejected
from referral.proof.audit import frozen
from referral.proof.audit.frozen import FrozenEngines
from referral.proof.counterfactual import Counterfactual
from referral.proof.entry import Kind
from referral.proof.forgeries import judge
from referral.proof.lookup import Casebook
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report


def run(book: Casebook, keys: Keys, files: Mapping[str, bytes], case: str, as_json: bool) -> int:
    """Compare the cases and print the result; return the exit code. files: of the other policy. case: only this one; empty for all."""
    try:
        other = domain.compile(files)
    except PolicyErrors as error:
        console.wrong(error.errors)
        return 1
    with console.progress(quiet=as_json) as bar:
        result = compare(book, keys([case] if case else None), other, files, case, bar)
    if case and not result.cases and not result.unchecked:
        raise Rejected("unknown-case", "--case", "the log has no decision of this case; audit may lag by a second")
    if as_json:
        console.document(_document(result))
    else:
        _print(result, other)
    return 3 if result.unchecked else 0


def compare(
    book: Casebook, keys: Mapping[str, bytes], other: Policy, files: Mapping[str, bytes], case: str = "", bar: Progress | None = None
) -> Counterfactual:
    """Compare every case of the log, one in memory at a time; for the others only their indexes are held. files: of the other policy.

    Malformed, NewerVersion: an entry.
    """
    bundles = Bundles(report=Report(), pinned=book.signers)
    places = book.cases(lambda _, leaf: leaf.kind is Kind.POLICY or (bool(leaf.case_id) and case in ("", leaf.case_id)))
    for entry in book.of(places.pop("", []))[0]:
        bundles.take(entry)
    task = bar.add_task("cases decided again", total=len(places)) if bar else None
    with FrozenEngines(frozen.named(bundles.activated)) as engines:
        result = Counterfactual(engines=engines, files=files)
        for case_id, where in sorted(places.items()):
            key, entries = keys.get(case_id), book.of(where)[0]
            result.take(case_id, judge(entries, key, book.believed).genuine(entries), key, bundles.policy, other)
            if bar and task is not None:
                bar.advance(task)
    return result


def _print(result: Counterfactual, other: Policy) -> None:
    console.say(f"{result.cases} cases with {result.inputs} decisions from the log, decided again")
    print_differences(result.differences, result.cases, other)
    if result.unused:
        console.say(
            f"\n{result.unused} recorded inputs come after the point where their case goes elsewhere. They answer offers that were "
            "really made, so they say nothing about what would have followed: `referral policy simulate --against` does, with made-up "
            "cases."
        )
    if result.assumed:
        console.say(f"{result.assumed} times a free place was not on record; the service was taken to be empty")
    for why, count in result.unchecked.most_common():
        console.say(f"NOT COMPARED: {count} cases, {why}")


def _document(result: Counterfactual) -> dict[str, object]:
    moved = [{"kind": k, "pathway": p, "municipality": m, "cases": n} for (k, p, m), n in sorted(result.differences.elsewhere.items())]
    return {
        "cases": result.cases,
        "decisions": result.inputs,
        "elsewhere": moved,
        "told_otherwise": result.differences.said,
        "names": result.differences.names,
        "examples": result.differences.examples,
        "unused_inputs": result.unused,
        "assumed_places": result.assumed,
        "not_compared": dict(result.unchecked),
    }
