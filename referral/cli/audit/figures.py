"""`referral audit figures`: recompute the figures of oversight from the log alone, with code independent of oversight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct, field
from rich.progress import Progress

from referral.cli import connection as log
from referral.cli import console
from referral.cli.audit import live_log, source
from referral.cli.audit.replay import Against, casebook
from referral.cli.audit.source import AuditorKey, Export, Witnesses
from referral.domain.events import FigureReleased, ReleaseMade
from referral.domain.policy import Policy
from referral.errors import Malformed, NewerVersion, Rejected
from referral.proof.entry import CASE_TOPICS, SEQUENCED, Entry, Kind
from referral.proof.entry import plain as unsealed
from referral.proof.figures import recompute as plain
from referral.proof.figures import releases as released
from referral.proof.figures.recompute import CaseEvent
from referral.proof.figures.releases import Checked, Log, Release
from referral.proof.forgeries import judge
from referral.proof.history import case
from referral.proof.lookup import BAD, Casebook
from referral.proof.reading import How
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report
from referral.runtime.postgres.figure_releases import published

Months = Annotated[
    str,
    typer.Option(
        "--month",
        metavar="YYYY-MM[..YYYY-MM]",
        help="Without --release: the figures of the children of this month or these months, as of the close of the last one.",
    ),
]
Which = Annotated[
    str,
    typer.Option(
        "--release", metavar="FILE|NUMBER", help="Compare: the releases of a JSON download, or one that is out or logged, or `all` of them."
    ),
]
MONTHS = re.compile(r"(20\d\d-(?:0[1-9]|1[0-2]))(?:\.\.(20\d\d-(?:0[1-9]|1[0-2])))?")
"""A month or a span of months, in the years that count (decision 0018)."""
FEED = ReleaseMade.TOPIC
LISTED = 20
"""Differences printed per release."""


class Book(Struct):
    """The data read from a log. Releases are by number. logged: from the topic oversight-feed in the log.

    out: as the pages display them.
    """

    log: Log
    bundles: Bundles
    logged: dict[int, Release] = field(default_factory=dict)
    out: dict[int, Release] = field(default_factory=dict)

    @property
    def releases(self) -> dict[int, Release]:
        """The published releases; for an export, and for numbers no longer published, those of the log."""
        return self.logged | self.out

    def policy(self, close: int) -> Policy:
        """Return the policy in force at this moment. Rejected: none was."""
        known = [number for number, bundle in self.bundles.activated.items() if bundle.at < close]
        policy = self.bundles.policy(max(known, default=None))
        if policy is None:
            raise Rejected("no-policy", "--release", "the log holds no policy that was in force when that month closed")
        return policy


class Downloaded(Struct):
    """One release of a JSON download."""

    release: ReleaseMade
    figures: tuple[FigureReleased, ...]


def figures_command(
    export: Export = None,
    month: Months = "",
    release: Which = "",
    witnesses: Witnesses = None,
    key: AuditorKey = None,
    as_json: console.Json = False,
) -> int:
    """Recompute the figures of oversight from every event of the log, and compare releases with them: displayed and hidden figures, months
    and digest.

    Without --release: the raw figures. THEY ARE SMALL COUNTS, and some of them identify a child. Only persons who may read the cases may
    see
    them; never pass them on.

    Exit 0 equal, 1 a release differs or the checkpoint is not believed, 2 the database, audit or a file is unavailable, 3 some cases could
    not be read.

    Example: referral audit figures export --key auditor.key --release all
    """
    months, pinned = _span(month), source.policy(witnesses)
    with source.opened(export, key) as there, console.progress(quiet=as_json) as bar:
        book, against = casebook(there.archive, pinned)
        read = gather(book, live_log.recorded(there, How.FIGURES)(None), bar)
        if there.tables:
            read.out = {one.number: Release(one.made, one.figures) for one in log.ask(lambda tx, _: published(tx))}
    if not release:
        if against.refused:
            console.errors.print(against.says, soft_wrap=True, markup=False)
        return 1 if against.refused else _raw(read, months, as_json)
    wanted = _wanted(read, release)
    known = dict(read.releases) | {one.made.release: one for one in wanted}
    checked = []
    for one in wanted:
        before = [other for number, other in sorted(known.items()) if number < one.made.release]
        policy = read.policy(plain.close_of(one.made.month))
        checked.append(released.check(one, before, read.log, policy, read.logged.get(one.made.release)))
    return _tell(checked, read.log, against, as_json)


def gather(book: Casebook, keys: Mapping[str, bytes], bar: Progress | None = None) -> Book:
    """Read every case of the log, decrypted as far as keys are available. Malformed: a bundle of entries is damaged."""
    bundles, events, erased, sealed = Bundles(report=Report()), list[CaseEvent](), dict[str, int](), set[str]()
    places = book.cases(lambda _, leaf: leaf.kind in (Kind.POLICY, Kind.KEYS) or leaf.topic in (FEED, *CASE_TOPICS))
    read = Book(Log([], [], {}, frozenset()), bundles)
    figures: dict[int, dict[str, FigureReleased]] = {}
    made: dict[int, ReleaseMade] = {}
    for entry in book.of(places.pop("", []))[0]:
        if entry.kind is Kind.KEYS:
            bundles.trust(entry)
        elif entry.kind is Kind.POLICY:
            bundles.take(entry)
        elif entry.topic == FEED and not book.believed.unwritten(entry):
            _feed(entry, figures, made)
    read.logged = {n: Release(one, tuple(figures.get(n, {}).values())) for n, one in sorted(made.items())}
    task = bar.add_task("cases read", total=len(places)) if bar else None
    for case_id, where in sorted(places.items()):
        entries, marks = book.of(where)
        whole = judge(entries, keys.get(case_id), book.believed).genuine(entries)
        genuine = [entry for entry in whole if entry.kind in SEQUENCED and marks[entry.idx] != BAD]
        gone = [entry.recorded_at for entry in genuine if entry.kind is Kind.ERASURE]
        if case_id in keys:
            events += _opened(genuine, keys[case_id])
        elif gone:
            erased[case_id] = gone[0]
        else:
            sealed.add(case_id)
        if bar and task is not None:
            bar.advance(task)
    first = bundles.since(1) if bundles.activated else 0
    read.log = Log(events, plain.children(events, frozenset(erased), first), erased, frozenset(sealed))
    return read


def _opened(entries: list[Entry], key: bytes) -> list[CaseEvent]:
    """Return the case's decrypted events, each once, without drills."""
    seen, events = set[tuple[str, int]](), list[CaseEvent]()
    for entry in sorted(entries, key=lambda entry: entry.idx):
        if (entry.topic, entry.case_seq) in seen or entry.kind is Kind.ERASURE:
            continue
        try:
            read = case.unseal(entry, key)
        except (Malformed, NewerVersion):
            continue
        seen.add((entry.topic, entry.case_seq))
        if not read.meta.drill:
            events.append(CaseEvent(entry.case_id, entry.topic, entry.case_seq, read.meta.recorded_at, read.body))
    return events


def _feed(entry: Entry, figures: dict[int, dict[str, FigureReleased]], made: dict[int, ReleaseMade]) -> None:
    try:
        body = unsealed(entry)
    except (Malformed, NewerVersion):
        return
    if isinstance(body, ReleaseMade):
        made[body.release] = body
    elif isinstance(body, FigureReleased):
        figures.setdefault(body.release, {})[released.name(body)] = body


def _wanted(read: Book, which: str) -> list[Release]:
    """Return the requested releases by number.

    Rejected: the log has none of that number; typer.BadParameter: the file is not a download.
    """
    if which == "all" or which.isdigit():
        chosen = [release for number, release in sorted(read.releases.items()) if which in ("all", str(number))]
        if not chosen:
            raise Rejected("unknown-release", "--release", "the log has no such release; name a JSON download, or an export that is newer")
        return chosen
    path = Path(which)
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=list[Downloaded])
    except (OSError, msgspec.DecodeError) as error:
        raise typer.BadParameter(f"--release: {path} is no JSON download of releases: {error}") from None
    return sorted((Release(release.release, release.figures) for release in listed), key=lambda release: release.made.release)


def _raw(read: Book, months: tuple[str, ...], as_json: bool) -> int:
    """Print the figures of some months as of the close of the last one, or of all months together as of the last event."""
    lived = months or sorted({plain.month_of(child.began) for child in read.log.children})
    if not lived:
        if as_json:
            unread = {"erased": len(read.log.erased), "sealed": len(read.log.sealed)}
            console.document({"first": "", "last": "", "figures": [], **unread})
        else:
            console.say("no case that can be read, so no figure")
            _unread(read.log)
        return 3 if read.log.sealed else 0
    first, until = lived[0], lived[-1]
    close = plain.close_of(until) if months else max((one.at for one in read.log.said), default=0) + 1
    policy, rows = read.policy(close), list[dict[str, Any]]()
    for pathway in sorted({child.pathway for child in read.log.children}):
        cohort = plain.during(read.log.children, pathway, first, until)
        for (measure, group), value in plain.tables(cohort, policy, close).items() if cohort else ():
            rows.append({"first": first, "last": until, "pathway": pathway, "measure": measure, "group": group, "value": value})
    for month in months:
        place = {"first": month, "last": month, "pathway": "", "measure": "full"}
        days = plain.full(read.log.said, frozenset(read.log.erased), read.policy(plain.close_of(month)), month)
        rows += [{**place, "group": role, "value": count} for role, count in days.items()]
    if as_json:
        console.document({"first": first, "last": until, "figures": rows, "erased": len(read.log.erased), "sealed": len(read.log.sealed)})
    else:
        if cells := [(row["pathway"] or row["first"], row["measure"], row["group"], row["value"]) for row in rows if row["value"]]:
            title = f"{first} to {until}: SMALL COUNTS, for your eyes only"
            console.table(("procedure or month", "measure", "group", "value"), cells, title=title)
        else:
            console.say(f"{first} to {until}: no figure above nought")
        _unread(read.log)
    return 3 if read.log.sealed else 0


def _span(months: str) -> tuple[str, ...]:
    """Return every month of `2027-01` or `2027-01..2027-03`; an empty text has none. typer.BadParameter: it is neither."""
    if not months:
        return ()
    named = MONTHS.fullmatch(months)
    if not named or (last := named[2] or named[1]) < named[1]:
        raise typer.BadParameter(f"--month: {months}: write 2027-01, or 2027-01..2027-03")
    found = [named[1]]
    while found[-1] < last:
        found.append(plain.next_month(found[-1]))
    return tuple(found)


def _tell(checked: list[Checked], log: Log, against: Against, as_json: bool) -> int:
    unsure = bool(log.sealed) or any(one.differs and one.later for one in checked) or any(one.alone for one in checked)
    if as_json:
        console.document(
            {
                "checkpoint": against.says,
                "children": len(log.children),
                "erased": len(log.erased),
                "sealed": len(log.sealed),
                "releases": [msgspec.to_builtins(one) for one in checked],
            }
        )
    else:
        _print(checked, log, against.says)
    certain = any(one.differs and not one.later for one in checked) and not log.sealed
    return 1 if certain or against.refused else 3 if unsure else 0


def _print(checked: list[Checked], log: Log, against: str) -> None:
    console.say(f"{len(log.said)} events of the log, {len(log.children)} children on procedures; {against}")
    console.table(
        ("release", "month", "compared", "hidden", "waiting", "different"),
        [(one.release, one.month, one.same, one.hidden, one.waiting, len(one.differs)) for one in checked],
    )
    for result in checked:
        for difference in result.differs[:LISTED]:
            console.say(f"{result.release}: {difference.what}: the release says {difference.said}, the log {difference.ours}")
        if result.alone:
            console.say(f"{result.release}: earlier releases are not there, so its months are not compared")
    _unread(log)


def _unread(log: Log) -> None:
    if log.erased:
        console.say(f"{len(log.erased)} cases are erased; a release that was made before counts them")
    if log.sealed:
        console.say(f"NOT CHECKED: {len(log.sealed)} cases whose keys you were not lent")
