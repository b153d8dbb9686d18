"""`referral audit guidance`: print the texts that the page of a step showed at a moment, from the policy bundles in the log.

No event says what a page showed. It follows from the bundle in force, by the function that the page uses itself (`Policy.guiding`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from msgspec import Struct

from referral.cli import console
from referral.cli.audit import source
from referral.cli.audit.replay import LoggedBundle, bundles, casebook, read_time
from referral.cli.audit.source import Export, Witnesses
from referral.domain.local_time import moment
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.domain.policy.guidance import WRITTEN
from referral.domain.policy.reading.reader import allowed
from referral.errors import Rejected
from referral.proof.lookup import BAD

MARGIN_US = 60 * 1_000_000
"""Around an activation either bundle may have been on the page (ours): pages show a new bundle in seconds; clocks agree to a minute."""

StepOf = Annotated[str, typer.Option("--step", help="Procedure and step, as trafficking-child/interview.")]
At = Annotated[str, typer.Option("--at", help="The moment, as 2026-01-31T08:15; Kosovo's time unless it names a zone. By default now.")]
Language = Annotated[str, typer.Option("--language", help="sq, sr-Latn or en. Cyrillic was made from sr-Latn letter by letter.")]


class Shown(Struct, frozen=True, kw_only=True):
    """One bundle that may have been on the page. activated: µs UTC. mark: of its entry. texts: path below policy/ → the exact file."""

    bundle: int
    digest: str
    activated: int
    entry: int
    mark: str
    texts: dict[str, str]


def guidance_command(
    step: StepOf, export: Export = None, at: At = "", language: Language = "en", witnesses: Witnesses = None, as_json: console.Json = False
) -> int:
    """Print the guidance that the page of a step showed at a moment: bundle, entry, verification mark, and the exact texts.

    Around an activation it prints both bundles, the newest first: one of them was on the page.

    Exit 0 printed, 1 no bundle or no such step then, a bad entry or a checkpoint that is not believed, 2 the database or a folder is
    unavailable.

    Example: referral audit guidance export --step trafficking-child/interview --at 2026-01-31T08:15
    """
    pathway, _, name = step.partition("/")
    if not name:
        raise typer.BadParameter("--step: a step is written as trafficking-child/interview")
    if language not in WRITTEN:
        raise typer.BadParameter(f"--language: {allowed(language, WRITTEN)}")
    when = read_time(at, "--at") or time.time_ns() // 1000
    pinned = source.policy(witnesses)
    with source.opened(export) as there:
        book, against = casebook(there.archive, pinned)
        found = shown(list(bundles(book)), when, pathway, name, language)
    if as_json:
        console.document({"step": step, "at": when, "language": language, "checkpoint": against.says, "shown": found})
    else:
        for line in _lines(found, step, when, against.says):
            console.say(line)
    return 1 if against.refused or any(each.mark == BAD for each in found) else 0


def shown(logged: Sequence[LoggedBundle], at: int, pathway: str, step: str, language: str) -> list[Shown]:
    """Return the bundles of which one was on the page at this moment, the newest first. logged: in order.

    Their times are the log's: the time that a bundle says itself is signed by nobody.

    Rejected: no bundle was in force yet, or none of them has the step.
    """
    last = max((n for n, one in enumerate(logged) if one.begun <= at + MARGIN_US), default=-1)
    used: list[tuple[Shown, Policy]] = []
    for one in logged[: last + 1]:
        body = one.body
        try:
            compiled = policy.compile(body.files, used[-1][1] if used else None)
        except PolicyErrors:  # it was never used: the one before stayed in force
            continue
        codes = compiled.guiding(pathway, step)
        texts = {path: body.files[path].decode() for code in codes if (path := f"guidance/{code}.{language}.md") in body.files}
        found = Shown(bundle=body.number, digest=body.digest, activated=one.begun, entry=one.idx, mark=one.mark, texts=texts)
        used.append((found, compiled))
    if not used:
        raise Rejected("no-bundle", "--at", "the log has no policy bundle of that time or before")
    newest = used[-1][1]
    if all(each.step(step) is None for each in (*newest.every, *newest.pinned.values()) if each.id == pathway):
        raise Rejected("unknown-step", "--step", f"the policy of that time has no step {step} in {pathway}")
    ends = [*(later.activated for later, _ in used[1:]), at]
    near = [(was, end) for (was, _), end in zip(used, ends, strict=True) if was.activated <= at + MARGIN_US and end > at - MARGIN_US]
    return [was for was, _ in reversed(near)]


def _lines(found: Sequence[Shown], step: str, at: int, against: str) -> Iterator[Any]:
    either = "" if len(found) == 1 else f"; an activation is near: one of these {len(found)} bundles was on the page"
    yield f"{step} at {moment(at)}{either}"
    yield against
    for each in found:
        yield f"policy bundle {each.bundle}, activated {moment(each.activated)}, entry {each.entry}, {each.mark}, digest {each.digest[:16]}"
        if not each.texts:
            yield "this bundle is from before there was guidance: the page showed none"
        for path, text in each.texts.items():
            yield f"\n{path}, SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
            yield text.rstrip("\n")
