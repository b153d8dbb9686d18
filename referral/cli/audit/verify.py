"""`referral audit verify`: verify an export, or the running system, from its checkpoint to its last decision."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from referral.cli import console
from referral.cli.audit import source
from referral.cli.audit.source import AuditorKey, Export, Witnesses
from referral.domain.local_time import moment
from referral.errors import Malformed
from referral.proof import archive
from referral.proof.archive import Archive, Trusted
from referral.proof.audit.judge import Verdict, VerifyOptions, judge
from referral.proof.heartbeat import FRESH_S
from referral.proof.unlogged import Standing, unlogged
from referral.proof.verify import pinned
from referral.proof.verify.known import Known, acknowledge
from referral.proof.verify.report import Finding, Report, Weight
from referral.tlog import note_keys

BAD = 1
"""Exit code of a bad log."""
SHOWN = 20
"""Findings printed in the table; --json lists all."""
WORTH = 200_000
"""Entries from which several processes are worth their start (ours): each takes some seconds to load the rules."""
SINCE = (
    "the payloads below the older checkpoint, but those of the cases that have a new entry",
    "the tiles and leaves below it: they were judged when it was made, and only the hashes on its right edge are compared",
    "decisions of cases without a new entry, and so the places that those cases hold: of free places only the number is compared",
    "accounts, roster, tokens and policies that no entry accounts for",
)
RESUMED = (
    "the bytes below the older checkpoint, as they stand here now, but those of the cases that were judged again: they were judged when its"
    " state was kept",
    SINCE[-1],
)

Since = Annotated[
    Path | None,
    typer.Option(
        "--since",
        metavar="CHECKPOINT",
        help="A checkpoint that was verified before: verify only the entries after it, from the state beside it where --keep left one.",
    ),
]
Keep = Annotated[
    Path | None,
    typer.Option("--keep", metavar="CHECKPOINT", help="Keep this log's checkpoint there, and the state for the next --since beside it."),
]
MaxAge = Annotated[
    float | None,
    typer.Option(
        "--max-age",
        min=0,
        help="Minutes within which a quorum of witnesses must have seen the log; of the running system 10. 0: a log of any age is judged.",
    ),
]
LogNames = Annotated[
    bool,
    typer.Option("--trust-log-names", help="Accept the log's own word for the writers, signers, approvers, operators and intake."),
]
KnownFile = Annotated[
    Path | None,
    typer.Option("--known", metavar="FILE", help="The office's signed list of acknowledged findings (`referral audit acknowledge`)."),
]
KnownKey = Annotated[Path | None, typer.Option("--known-key", metavar="FILE.pub", help="The office's public key, which has signed it.")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Processes that decide again; by default one for each core when it is worth it.")]


def verify_command(
    export: Export = None,
    witnesses: Witnesses = None,
    key: AuditorKey = None,
    since: Since = None,
    keep: Keep = None,
    max_age: MaxAge = None,
    log_names: LogNames = False,
    known_file: KnownFile = None,
    known_key: KnownKey = None,
    jobs: Jobs = 0,
    as_json: console.Json = False,
) -> int:
    """Verify a log: signed and witnessed, no tile, leaf or payload changed, nothing missing, every decision the one that the rules lead to.

    The report names the first bad entry and its layer: checkpoint, tree, payload, order, record or decision. An export needs no other
    input. It does not look at the figures that oversight released: `referral audit figures` counts them again.

    Exit 0 good, 1 bad, 2 no such folder or key or the database is down, 3 something could not be checked (a case without its key, a log
    that has stopped, a party that your file does not name).

    Example: referral audit verify export --trust ombudsperson.toml --key auditor.key
    """
    mine, older, known = source.policy(witnesses), source.file(since), _known(known_file, known_key)
    if keep is not None:
        _writable(beside(keep, ".part"))
    with source.opened(export, key) as there:
        age = seconds(FRESH_S / 60 if max_age is None and there.tables and vouched(there.archive, mine) else max_age)
        now = int(time.time())  # noqa: TID251 - the auditor's own clock measures the age of a signature
        options = VerifyOptions(
            keys=there.keys(None),
            pinned=mine,
            since=older,
            state=beside(since) if since is not None and beside(since).is_file() else None,
            keep=beside(keep, ".part") if keep is not None else None,
            jobs=jobs or processes(there.archive),
            max_age=age,
            now=now,
        )
        with console.progress(quiet=as_json) as bar:
            verdict = judge(there.archive, options, bar)
        if there.tables and verdict.book is not None:
            by_hand(verdict, there.tables())
        if not log_names and (mine is not None or there.tables is None):
            verdict.report.findings += pinned.findings(mine)
    if known:
        _acknowledge(verdict, known)
    not_kept = _keep(verdict, keep) if keep is not None else ""
    if as_json:
        console.document(document(verdict, options))
    else:
        _print(verdict, options, witnesses, known)
    if not_kept:
        console.errors.print(not_kept, soft_wrap=True, markup=False)
    return verdict.report.exit_code()


def _writable(path: Path) -> None:
    """Make the file that becomes the state. typer.BadParameter: it cannot be written."""
    try:
        path.write_bytes(b"")
        path.unlink()
    except OSError as error:
        raise typer.BadParameter(f"--keep: no file can be made in {path.parent}: {error.strerror}") from None


def beside(checkpoint: Path, more: str = "") -> Path:
    """Return the place of the state that belongs to a kept checkpoint."""
    return checkpoint.with_name(f"{checkpoint.name}.state{more}")


def _keep(verdict: Verdict, keep: Path) -> str:
    """Keep the checkpoint, and the state beside it; or return why not. What was kept before stays then."""
    written, published = beside(keep, ".part"), verdict.published
    if verdict.report.exit_code() == BAD:
        why = "the log is BAD"
    elif published is None or published.size != verdict.size:
        why = "the newest entries have no checkpoint yet: keep the state of an export"
    elif not written.is_file():
        why = "not all of the log could be judged"
    else:
        written.replace(beside(keep))
        source.put(keep.parent, keep.name, published.signed)
        return ""
    written.unlink(missing_ok=True)
    return f"{keep} and its state were not kept: {why}"


def _known(list_file: Path | None, key: Path | None) -> Known | None:
    """Return the office's list of acknowledged findings; None where none is given. typer.BadParameter."""
    if list_file is None:
        return None
    if key is None:
        raise typer.BadParameter("--known needs --known-key: the public key of the office that signed the list")
    try:
        public = note_keys.verifier((source.file(key) or b"").removesuffix(b"\n"))
    except Malformed as error:
        raise typer.BadParameter(f"{key}: {error}") from None
    return source.known(list_file, public)


def _acknowledge(verdict: Verdict, known: Known) -> None:
    """Take the acknowledged findings out of the verdict. typer.BadParameter: the list is of another log."""
    published = verdict.published
    try:
        acknowledge(verdict.report, known, published.accepted.checkpoint.origin if published else None)
    except Malformed as error:
        raise typer.BadParameter(f"--known: {error}") from None


def by_hand(verdict: Verdict, tables: Standing) -> None:
    """Report what stands in the tables of the running installation without an entry. The tables are of the log's own snapshot."""
    for found in unlogged(tables, verdict.acts, verdict.book or ()):
        weight = Weight.BAD if found.sure else Weight.UNCHECKED
        what = found.what if found.sure else f"{found.what}; or its entry is on its way: verify again in a minute"
        verdict.report.add_finding(Finding(weight=weight, code="UNLOGGED", idx=None, where="tables", what=what))


def seconds(minutes: float | None) -> int | None:
    """Convert the age limit to seconds; None: any age."""
    return int(minutes * 60) if minutes else None


def vouched(there: Archive, pinned: bytes | None) -> bool:
    """Return True if the policy requires witnesses, whose signatures state when they saw the log."""
    try:
        published = archive.trusted(there, pinned)
    except Malformed:
        return False
    return published is not None and published.accepted.seen is not None


def processes(there: Archive) -> int:
    """Return the number of processes that is worth starting."""
    try:
        size, _ = archive.head(there, archive.trusted(there, None))
    except Malformed:
        return 1
    return (os.cpu_count() or 1) if size >= WORTH else 1


def document(verdict: Verdict, options: VerifyOptions) -> dict[str, Any]:
    """Return the verdict for programs."""
    published = verdict.published
    summary: dict[str, Any] = {"checkpoint": None}
    if published:
        head = published.accepted.checkpoint
        summary["checkpoint"] = {
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "witnesses": published.accepted.witnesses,
            "seen": published.accepted.seen,
            "policy": "yours" if published.pinned else "the log's own",
        }
    parties = {name: "yours" if yours else "the log's own" for name, yours in pinned.sources(options.pinned).items()}
    return {
        **summary,
        "parties": parties,
        "entries": verdict.size,
        **verdict.report.as_json(),
        "not_checked": list(passed_over(verdict, options)),
        **({"state": verdict.whole or "used"} if options.state else {}),
    }


def passed_over(verdict: Verdict, options: VerifyOptions) -> Sequence[str]:
    """Return in words what was not looked at."""
    if options.since is None or verdict.whole:
        return ()
    return RESUMED if verdict.resumed else SINCE


def _print(verdict: Verdict, options: VerifyOptions, mine: Path | None, known: Known | None) -> None:
    report, say = verdict.report, partial(console.console.print, soft_wrap=True, markup=False)
    rows = sorted(report.findings, key=lambda f: (-f.weight, f.place()))
    if rows:
        console.table(
            ("weight", "entry", "layer", "code", "what", "where"),
            [(f.weight.name, "" if f.idx is None else f.idx, f.layer, f.code, f.what, f.where) for f in rows[:SHOWN]],
        )
        if len(rows) > SHOWN:
            say(f"… and {len(rows) - SHOWN} more; --json has all")
    if verdict.published:
        say(believed(verdict.published))
        say(parties(options.pinned, mine))
    say(" · ".join(f"{number} {name}" for name, number in report.counts.items()))
    for line in policies(report):
        say(line)
    if verdict.whole:
        say(f"the state beside the older checkpoint was not used, and the whole log was verified: {verdict.whole}")
    for what in passed_over(verdict, options):
        say(f"not looked at this time: {what}")
    say("not looked at: the figures that oversight released (`referral audit figures --release all` counts them again)")
    if known and report.known:
        say(f"{len(report.known)} known findings, acknowledged by {known.by}: no part of the verdict; --json has them")
    but = " but for the known findings" if report.known else ""
    first = report.first_bad()
    unchecked = sum(f.weight is Weight.UNCHECKED for f in report.findings)
    if first:
        say(f"BAD: the first bad entry is {first}")
    elif unchecked:
        say(f"NOT FULLY CHECKED: nothing bad was found, {unchecked} findings could not be proven either way")
    else:
        say(f"GOOD{but}: the log is whole, its bytes are the logged ones, and the rules lead to its decisions")


def policies(report: Report) -> Iterator[str]:
    """Yield the periods of the policies: number, from when to when, digest, signers, cases decided under it, and what it changed."""
    for period in report.periods:
        until = moment(period.until) if period.until is not None else "now"
        cases = report.decided[period.number]
        short = f"; LESS THAN A DAY{', with cases decided under it: ask both signers why' if cases else ''}" if period.short else ""
        yield f"policy {period.number}: {moment(period.since)} to {until}{short}"
        yield f"  digest {period.digest[:16]}, signed by {period.signed_by}, {cases} cases decided under it"
        yield from (f"  {line}" for line in period.changes)


def parties(policy: bytes | None, mine: Path | None) -> str:
    """Return which file named which parties, in words."""
    by = pinned.sources(policy)
    yours, others = ([name for name, there in by.items() if there is wanted] for wanted in (True, False))
    said = [f"{', '.join(yours)}: by your {mine.name}"] if yours and mine else []
    said += [f"{', '.join(others)}: by the log's own word, not pinned"] if others else []
    return "; ".join(said)


def believed(published: Trusted) -> str:
    """Return the accepted checkpoint and the policy that accepted it, in words."""
    head, seen = published.accepted.checkpoint, published.accepted.witnesses
    when = ", ".join(f"{name} {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z" for name, at in seen.items()) or "nobody"
    whose = (
        "your own policy"
        if published.pinned
        else "the log's own policy, which proves nothing about the log's key: bring yours with --trust"
    )
    return f"checkpoint of {head.origin}: {head.size} entries, seen by {when}; believed by {whose}"
