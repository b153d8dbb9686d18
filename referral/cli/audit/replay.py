"""`referral audit replay`: display the log's events, each with its entry and what this run has proven of it; or a case's past state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct, structs

from referral.cli import console
from referral.cli.audit import counterfactual, live_log, source
from referral.cli.audit.source import AuditorKey, Export, Keys, Witnesses
from referral.cli.audit.timeline_text import render
from referral.cli.policy import policy_folder
from referral.domain.case import Case, Offer, Seat
from referral.domain.events import Leaf, PolicyActivated
from referral.domain.local_time import LOCAL, moment
from referral.errors import Malformed, NewerVersion, Rejected, Unproven
from referral.proof import archive
from referral.proof.archive import Archive
from referral.proof.audit.judge import VerifyOptions
from referral.proof.audit.judge import judge as judge_log
from referral.proof.entry import OPEN, Entry, Kind
from referral.proof.forgeries import judge
from referral.proof.history.case import standing
from referral.proof.history.timeline import Line, own_line, timeline
from referral.proof.lookup import BAD, PROVEN, SAID, UNVERIFIED, Casebook, ProvenTree
from referral.proof.reading import How
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import ENDS, Report, Weight

CaseId = Annotated[str, typer.Option("--case", help="Only this case, with consequences indented below their cause.")]
Agency = Annotated[str, typer.Option("--agency", help="Only lines that name this agency.")]
TypeName = Annotated[
    str,
    typer.Option("--type", help="Events of a type, as offer-opened or policy-activated.v1, or entries of a kind, as POLICY or HEARTBEAT."),
]
First = Annotated[int, typer.Option("--first", help="From this entry on.")]
Last = Annotated[int | None, typer.Option("--last", help="Up to this entry.")]
After = Annotated[
    str, typer.Option("--after", help="From this time on, as 2026-01-31 or 2026-01-31T08:15; Kosovo's time unless it names a zone.")
]
Before = Annotated[str, typer.Option("--before", help="Before this time.")]
At = Annotated[str, typer.Option("--at", help="With --case: the state after this entry, or at this time.")]
Other = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="DIR|bundle:N",
        help="A policy folder, or a bundle out of the log: list the recorded cases that it would decide differently.",
    ),
]
Prove = Annotated[bool, typer.Option("--prove", help="Verify the whole log first, and mark the decisions that it proves.")]
BUNDLE = "bundle:"
"""Before the number of a bundle of the log."""

OPEN_TYPES = {kind: tuple(type_ for (_, type_), other in OPEN.items() if other is kind) for kind in set(OPEN.values())}
"""Types of the unsealed records, which are named in a header alone, so that their leaves have none."""


class Selection(Struct, frozen=True, kw_only=True):
    """The selection of lines. after, before: µs UTC."""

    case: str = ""
    agency: str = ""
    type: str = ""
    first: int = 0
    last: int | None = None
    after: int | None = None
    before: int | None = None

    def leaf(self, index: int, said: Leaf) -> bool:
        """Return True if the leaf meets the part of the selection that a leaf can show."""
        if said.kind in (Kind.HEARTBEAT, Kind.COVER) and self.type != said.kind.value:
            return False  # one a minute, and thousands an hour: listed only on request
        types = OPEN_TYPES.get(said.kind, ("" if said.kind is Kind.SCHEMA else said.type,))
        kinds = {said.kind.value, *types, *(type_.partition(".")[0] for type_ in types)}
        inside = self.first <= index and (self.last is None or index <= self.last)
        return inside and (not self.type or self.type in kinds) and (not self.case or said.case_id == self.case)

    def line(self, line: Line) -> bool:
        """Return True if the line meets the part of the selection that only a line shows: its time and agency."""
        timely = (self.after is None or line.at >= self.after) and (self.before is None or line.at < self.before)
        named = not self.agency or re.search(rf"(?<![\w-]){re.escape(self.agency)}(?![\w-])", f"{line.who} {line.what}") is not None
        return timely and named

    def everything(self) -> bool:
        """Return True if nothing narrows the selection within a case."""
        return self == Selection(case=self.case)


def replay_command(
    export: Export = None,
    case: CaseId = "",
    agency: Agency = "",
    type_: TypeName = "",
    first: First = 0,
    last: Last = None,
    after: After = "",
    before: Before = "",
    at: At = "",
    policy: Other = None,
    prove: Prove = False,
    witnesses: Witnesses = None,
    key: AuditorKey = None,
    as_json: console.Json = False,
) -> int:
    """Display the events of the log: time, entry, verification mark, event, actor, reason.

    A line is logged when this run led its entry to a witnessed checkpoint and its payload fits; a decision is then said by routing. With
    --prove the whole log is verified first, and a decision is proven where its facts and the rules lead to it. A line is erased when nobody
    can read it, and sealed when you cannot. Without --case or another selection, the whole log. On the running system, opening a case is an
    entry of the log first.

    Exit 0 displayed, 1 no such case, a wrong policy, a bad line or a checkpoint that is not believed, 2 the database, audit or a folder is
    unavailable, 3 some case could not be compared.

    Example: referral audit replay export --case CASE --key auditor.key
    """
    pinned = source.policy(witnesses)
    selection = Selection(
        case=case,
        agency=agency,
        type=type_,
        first=first,
        last=last,
        after=read_time(after, "--after"),
        before=read_time(before, "--before"),
    )
    if at and not case:
        raise typer.BadParameter("--at needs --case: it tells how one case stood")
    with source.opened(export, key) as there:
        book, against = casebook(there.archive, pinned)
        keys = live_log.recorded(there, How.REPLAY, case)
        if policy is not None or at:
            if against.refused:
                console.errors.print(against.says, soft_wrap=True, markup=False)
            if policy is None:
                code = _at(book, keys, case, at, against, as_json)
            else:
                code = counterfactual.run(book, keys, _files(book, policy), case, as_json)
            return 1 if against.refused else code
        lines = list(selected_lines(book, keys, selection))
        if prove:
            lines = proven(lines, book, _report(there.archive, keys, pinned, as_json))
    if case and not lines and selection.everything():
        raise Rejected("unknown-case", "--case", "the log has no entry of this case; audit may lag by a second")
    _show(lines, selection, against.says, as_json)
    return 1 if against.refused or any(map(against.bad, lines)) else 0


class Against(Struct, frozen=True):
    """The checkpoint against which entries are verified.

    says: in words. refused: one is there, and it is not believed or not of this tree. size: entries that it covers. One of them that is not
    verified is damaged.
    """

    says: str
    refused: bool = False
    size: int = 0

    def bad(self, line: Line) -> bool:
        """Return True if the line is no true one of this log."""
        return line.mark == BAD or (line.mark == UNVERIFIED and line.idx is not None and line.idx < self.size)


def casebook(there: Archive, pinned: bytes | None) -> tuple[Casebook, Against]:
    """Return the entries, and the checkpoint by which they are verified. Malformed."""
    try:
        published = archive.trusted(there, pinned)
    except Malformed as error:
        # Of the running system alone: its operator has named no witnesses.
        nobody_named = isinstance(error, Unproven) and error.reason == "policy" and there.read(archive.HEAD) is not None
        against = Against(f"nothing is verified: {error}") if nobody_named else _refused(error)
        return Casebook(there, archive.claimed(there), None, pinned), against
    size, _ = archive.head(there, published)
    if published is None:
        return Casebook(there, size, None, pinned), Against("nothing is verified: no checkpoint with its witnesses' quorum is there")
    try:
        proven = ProvenTree(there, published.size, published.root, size)
    except Malformed as error:
        return Casebook(there, size, None, pinned), _refused(error)
    whose = "your policy" if published.pinned else "the log's own policy"
    says = f"verified against the checkpoint of {published.size} entries, believed by {whose}"
    return Casebook(there, size, proven, pinned), Against(says, size=published.size)


def _refused(error: Malformed) -> Against:
    return Against(f"NOTHING IS VERIFIED: {error}", refused=True)


def selected_lines(book: Casebook, keys: Keys, selection: Selection) -> Iterator[Line]:
    """Yield the lines with their marks: a whole case as a tree, any other selection in the order of the log."""
    if selection.case and selection.everything():
        yield from _case(book, keys([selection.case]).get(selection.case), book.case(selection.case))
        return
    chosen = set[int]()

    def choose(index: int, said: Leaf) -> bool:
        if selection.leaf(index, said):
            chosen.add(index)
            return True
        return False

    places, found = book.cases(choose), list[Line]()
    held = keys([selection.case] if selection.case else None) if any(places) else {}
    for case_id, where in places.items():
        lines = _case(book, held.get(case_id), where) if case_id else _own(book, where)
        found += [structs.replace(line, depth=0) for line in lines if line.idx in chosen and selection.line(line)]
    yield from sorted(found, key=lambda line: line.idx or 0)


def _report(there: Archive, keys: Keys, pinned: bytes | None, quiet: bool) -> Report:
    """Return what `verify` finds in the whole log, with the keys that the reader has."""
    with console.progress(quiet=quiet) as bar:
        return judge_log(there, VerifyOptions(keys=keys(None), pinned=pinned), bar).report


def proven(lines: Sequence[Line], book: Casebook, report: Report) -> list[Line]:
    """Return the lines, and mark the decisions as proven that a verification decided again: of a case about which it found nothing.

    Where it found something bad about the log as a whole, or did not reach its end, it proves no decision. An alarm has the mark of its
    decision, which is the next line.
    """
    doubts = [found for found in report.findings if found.weight is not Weight.NOTE]
    torn = any(found.where == ENDS or (found.weight is Weight.BAD and found.idx is None) for found in doubts)
    doubted, marked = {found.case_id for found in doubts}, list(lines)
    for place in range(len(marked) - 1, -1, -1):
        line = marked[place]
        if line.idx is None:
            marked[place] = structs.replace(line, mark=marked[place + 1].mark)
        elif line.mark == SAID and not torn and book.entry(line.idx)[0].case_id not in doubted:
            marked[place] = structs.replace(line, mark=PROVEN)
    return marked


def _case(book: Casebook, key: bytes | None, where: Sequence[int]) -> list[Line]:
    entries, marks = book.of(where)
    lines = timeline(entries, key, believed=book.believed)
    for place in range(len(lines) - 1, -1, -1):
        line = lines[place]
        mark = lines[place + 1].mark if line.idx is None else _mark(line, marks[line.idx])
        lines[place] = structs.replace(line, mark=mark)
    return lines


def _own(book: Casebook, where: Sequence[int]) -> list[Line]:
    entries, marks = book.of(where)
    known = [logged.body for logged in bundles(book)] if any(entry.kind is Kind.POLICY for entry in entries) else []
    return [structs.replace(own_line(entry, known), mark=marks[entry.idx]) for entry in entries]


class LoggedBundle(Struct, frozen=True):
    """A policy bundle of the log. mark: of its entry. begun: the time from which it was in force, µs UTC, as the log itself tells."""

    idx: int
    mark: str
    begun: int
    body: PolicyActivated


def bundles(book: Casebook) -> Iterator[LoggedBundle]:
    """Yield every policy bundle of the log that was in force; those that its signers did not sign never were."""
    believed = Bundles(report=Report(), pinned=book.signers)
    for index in [index for index, said in book.leaves() if said.kind in (Kind.POLICY, Kind.KEYS)]:
        entry, mark = book.entry(index)
        if entry.kind is Kind.KEYS:
            believed.trust(entry)
            continue
        before = len(believed.activated)
        believed.take(entry)
        if len(believed.activated) > before:
            yield LoggedBundle(index, mark, believed.since(before + 1), believed.activated[before + 1])


def _files(book: Casebook, words: str) -> Mapping[str, bytes]:
    """Return the files of a policy folder, or of a bundle of the log. Rejected: there is none."""
    if not words.startswith(BUNDLE):
        return policy_folder.read(Path(words))
    found = next((one.body.files for one in bundles(book) if f"{BUNDLE}{one.body.number}" == words), None)
    if found is None:
        raise Rejected("unknown-bundle", "--policy", f"the log has no {words} that its signers signed; --type policy-activated lists them")
    return found


def _mark(line: Line, proven: str) -> str:
    return BAD if BAD in (proven, line.mark) else line.mark or proven


def _at(book: Casebook, keys: Keys, case: str, at: str, against: Against, as_json: bool) -> int:
    """Print the state of one case at an entry or time."""
    entries, marks = book.of(book.case(case))
    moment = None if at.isdigit() else read_time(at, "--at")
    there = [e for e in entries if (e.idx <= int(at) if moment is None else _when(e) <= moment)]
    key = keys([case]).get(case)
    if not there:
        raise Rejected("unknown-case", "--case", f"the log has no entry of this case up to {at}")
    if key is None:
        raise Rejected("sealed", "--case", "the key of this case is not there: it is erased, or was not lent")
    try:
        state = standing(judge(there, key, book.believed).genuine(there), key, case)
    except (Malformed, NewerVersion) as error:
        raise Rejected("unreadable", "--case", str(error)) from None
    last = there[-1]
    mark = UNVERIFIED if UNVERIFIED in (of := {marks[entry.idx] for entry in there}) else BAD if BAD in of else marks[last.idx]
    if as_json:
        console.document({"case_id": case, "entry": last.idx, "at": _when(last), "mark": mark, "state": msgspec.to_builtins(state)})
    else:
        for text in lines(state, last.idx, _when(last), mark):
            console.say(text)
    damaged = any(marks[entry.idx] == UNVERIFIED and entry.idx < against.size for entry in there)
    return 1 if mark == BAD or damaged else 0


def _when(entry: Entry) -> int:
    return entry.recorded_at or entry.kafka_time * 1000


def read_time(word: str, option: str) -> int | None:
    """Parse a time to µs UTC; None for an empty text. typer.BadParameter."""
    if not word:
        return None
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        raise typer.BadParameter(f"{option}: a time is written as 2026-01-31T08:15") from None
    return int((at if at.tzinfo else at.replace(tzinfo=LOCAL)).timestamp() * 1e6)


def _show(lines: list[Line], selection: Selection, against: str, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "case_id": selection.case,
            "checkpoint": against,
            "lines": [msgspec.to_builtins(line) for line in lines],
        }
        console.document(document)
        return
    of = f"case {selection.case}" if selection.case else "the log"
    console.say(f"{of}: {len(lines)} lines from the log; {against}")
    for line in render(lines, marks=[line.mark for line in lines]):
        console.console.print(line.text, style=line.style, soft_wrap=True, markup=False)


def lines(case: Case | None, idx: int, at: int, mark: str) -> Iterator[str]:
    """Yield the state of a case as text: its procedures, steps, offers and desk tasks. at: µs UTC. mark: of all entries folded into it."""
    yield f"after entry {idx} ({moment(at)}), {mark}"
    if case is None:
        yield "nothing was decided yet"
        return
    yield f"case {case.case_id}: {'closed, ' + case.closed if case.closed else 'open'}, {case.seq} decisions' events"
    for track in case.tracks:
        yield f"  procedure {track.pathway}: {track.outcome or track.paused_by or 'under way'}"
        for run in track.runs:
            yield f"    step {run.step}: {run.outcome or 'under way'}"
            for seat in run.seats:
                yield f"      {seat.role}: {_seat(seat)}"
    for task in case.tasks:
        yield f"  at {task.desk}: {task.about}"


def _seat(seat: Seat) -> str:
    asked = [offer for offer in (seat.offer, *seat.kept) if offer is not None]
    return "; ".join(map(_offer, asked)) or "nobody is asked"


def _offer(offer: Offer) -> str:
    until = f", until {moment(offer.due)}" if offer.due else ""
    return f"{offer.agency} {(offer.how or offer.state).lower()}{until}"
