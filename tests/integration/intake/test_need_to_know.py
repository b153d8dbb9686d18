"""Every cell of the need-to-know matrix at a real line: what is forbidden answers as what does not exist, and what is allowed is shown.

One case of each procedure at a middle step, in two municipalities. The matrix is tests/harness/need_to_know/matrix.py.
"""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from referral.domain import events as e
from referral.domain.case_number import case_number
from tests.harness.need_to_know import askers, cases, matrix, probe
from tests.harness.need_to_know.askers import Asker
from tests.harness.need_to_know.cases import Case
from tests.harness.need_to_know.matrix import DOOR, NOTHING, OUTSIDE
from tests.harness.need_to_know.probe import OWNED, REQUESTS, Request
from tests.harness.shipped import compiled
from tests.harness.web.world import WHY, World, closed

pytestmark = pytest.mark.servers
POLICY = cases.marked(compiled())
NOTIFIED = {"task": {"O"}}
"""Row → what only a line with a notifier shows: of which agency somebody was told. tests/web/test_told.py has it."""
EVERY = tuple(pathway.id for pathway in POLICY.current)
FEW = ("trafficking-adult",)
"""Of the quick test: at its middle some agencies have a step, one had one, and one comes later. The long one has all seven."""


@dataclass
class Probe:
    """A line, its cases, who asks, and what was found.

    thin: everybody asks each so-manieth of the forbidden requests, in turn, so that each is asked by several.
    wrong: cells that are not as the matrix says.
    """

    world: World
    cases: Sequence[Case]
    people: Mapping[int, Mapping[str, Asker]]
    outside: Sequence[Asker]
    thin: int
    nothing: dict[tuple[str, str, str], tuple[object, ...]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    shown: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def send(self, asker: Asker, path: str, request: Request) -> httpx.Response:
        return asker.ask(self.world, request.method, path + request.path, request.form)

    def refused(self, asker: Asker, path: str, request: Request) -> None:
        """Hold that an answer is that for a thing that does not exist, and carries no marker."""
        kind, _, id = path.rpartition("/")
        key = asker.like, kind, str(request)
        if key not in self.nothing:
            unknown = str(uuid.uuid4())
            self.nothing[key] = asker.plain(self.send(asker, f"{kind}/{unknown}", request), unknown)
        answer = self.send(asker, path, request)
        what = f"{asker.name} at {kind}: {request}"
        if asker.plain(answer, id) != self.nothing[key]:
            self.wrong.append(f"{what}: {answer.status_code}, not as for a thing that does not exist")
        if probe.markers(answer):
            self.wrong.append(f"{what}: a marker of the child")
        if answer.status_code not in ((303, 403) if asker.name in OUTSIDE else (404,)):
            self.wrong.append(f"{what}: {answer.status_code}")

    def allowed(self, row: str, asker: Asker, case: Case, path: str, requests: Sequence[Request]) -> None:
        """Hold that an answer shows no more than the cell says; `complete` holds that all together show all of it."""
        cell = matrix.row(row).cells[asker.name]
        for request in requests:
            answer = self.send(asker, path, request)
            found = probe.seen(answer, case, asker)
            what = f"{row}: {asker.name} {request} of {case.pathway}"
            if answer.status_code not in (200, 303):
                self.wrong.append(f"{what}: {answer.status_code}")
            if more := found - probe.letters(cell):
                self.wrong.append(f"{what}: shows {', '.join(sorted(more))} as well")
            self.shown[row, asker.name] |= found

    def complete(self) -> None:
        """Hold that the cells that were asked show everything that they say."""
        for (row, asker), found in self.shown.items():
            if less := probe.letters(matrix.row(row).cells[asker]) - found - NOTIFIED.get(row, set()):
                self.wrong.append(f"{row}: {asker} is never shown {', '.join(sorted(less))}")


OF_OFFERS = ("offer", "file", "write", "change")
ROWS: Mapping[str, tuple[str, ...]] = {"offer": OF_OFFERS, "held": OF_OFFERS, "away": OF_OFFERS, "call": ("call", "call-file")}
"""Thing of a case → its rows; all others have the row of their own name."""
OTHERS = dict.fromkeys(("asked", "colleague", "head"), "beside")
COLUMNS: Mapping[str, Mapping[str, str]] = {"held": OTHERS | {"beside": "held"}, "away": OTHERS}
"""Thing → column in which somebody stands there, where that is not the column of the probed step."""


def standing(line: Probe, case: Case) -> Iterator[tuple[str, Asker, bool]]:
    """Yield each thing of a case with everybody who asks, as the column in which they stand there, and whether the matrix opens it."""
    for thing in case.things:
        for asker in (*line.people[case.number].values(), *line.outside):
            there = askers.renamed(asker, COLUMNS.get(thing, {}).get(asker.name, asker.name))
            shut = {matrix.row(row).cells[there.name][0] in (NOTHING, DOOR) for row in ROWS.get(thing, (thing,))}
            assert len(shut) == 1, f"{thing}: {there.name} may see a part of it"
            yield thing, there, not shut.pop()


def forbidden(line: Probe) -> None:
    """Ask everything that the matrix shuts; nothing of it changes anything."""
    for case in line.cases:
        for turn, (thing, asker, opens) in enumerate(standing(line, case)):
            if opens:
                continue
            every = REQUESTS[case.things[thing].rpartition("/")[0]]
            asks = every if thing in ("offer", "task", "call") and asker not in line.outside else every[:3]
            for request in asks[turn % line.thin :: line.thin]:
                if not (asker.name == "old" and (request.form or {}).get("do") in ("save", "draft")):  # see `late`
                    line.refused(asker, case.things[thing], request)
        for asker in (*line.people[case.number].values(), *line.outside):
            if matrix.row("real").cells[asker.name] in (NOTHING, DOOR):
                for request in REQUESTS["/exercises"]:
                    line.refused(asker, f"/exercises/{case.case_id}", request)
        _elsewhere(line, case)


def _elsewhere(line: Probe, case: Case) -> None:
    """Ask for each thing under the path of every other kind, and under ids that are nearly its own, as those who may see it."""
    people = line.people[case.number]
    for thing, asker in (("offer", people["asked"]), ("call", people["desk"]), ("task", people["desk"])):
        kind, _, id = case.things[thing].rpartition("/")
        for other in REQUESTS:
            if other != kind and (kind, other) != ("/tasks", "/unverified"):
                line.refused(asker, f"{other}/{id}", REQUESTS[other][0])
        for near in (*probe.changed(id), case.case_id):
            line.refused(asker, f"{kind}/{near}", REQUESTS[kind][0])


def open_to(line: Probe) -> None:
    """Ask what the matrix opens."""
    for case in line.cases:
        for thing, asker, opens in standing(line, case):
            for row in ROWS.get(thing, (thing,)) if opens else ():
                if row != "write":
                    line.allowed(row, asker, case, case.things[thing], OWNED[row])
            if opens and thing == "offer":
                _file(line, asker, case)
                _writing(line, asker, case)
        if case.over is not None:
            line.allowed("over", line.people[case.number]["past"], case, f"/offers/{case.over.offer_id}", OWNED["over"])


def _file(line: Probe, asker: Asker, case: Case) -> None:
    """Hold that an opened case file has exactly the sections that the procedure shows to the step."""
    answer = line.send(asker, case.things["offer"], Request("/show", {}))
    titles = re.findall(r'<div class="card"><h3>(.*?)</h3>', answer.text)
    shows = case.asked.shows
    if titles != [POLICY.names("section", section, "en") for section in shows]:
        line.wrong.append(f"{case.pathway} {case.asked.step}: the file has {titles}")
    written = (*line.world.lists.codes["written"], *line.world.lists.codes["need"])
    texts = {section for section in written if case.text(section) in answer.text}
    if texts != set(shows) & set(written):
        line.wrong.append(f"{case.pathway} {case.asked.step}: the file says {sorted(texts)}, and the step is shown {sorted(shows)}")


FORM = r'action="[^"]*/write/([a-z-]+)">\s*<input type="hidden" name="form" value="[^"]*">\s*<input type="hidden" {}'
"""A form of the list of sections, by the hidden field that says what it does."""


def _writing(line: Probe, asker: Asker, case: Case) -> None:
    """Hold that exactly the sections that the step writes can be opened for writing."""
    writes = line.world.lists.written_by(case.pathway, case.asked.step, case.asked.seat, case.asked.shows)
    path = case.things["offer"]
    line.allowed("write", asker, case, path, (Request("/write"), *(Request(f"/write/{one}", {"do": "open"}) for one in writes[:1])))
    page = (line.send(asker, path, Request("/write"))).text
    if sorted(re.findall(FORM.format('name="do" value="open"'), page)) != sorted(writes):
        line.wrong.append(f"{case.pathway} {case.asked.step}: the forms of {asker.name} are not for {writes}")
    if more := set(re.findall(FORM.format('name="version"'), page)) - set(case.asked.shows):
        line.wrong.append(f"{case.pathway} {case.asked.step}: {asker.name} is offered earlier versions of {sorted(more)}")
    others = [section for section in line.world.lists.codes["written"] if section not in writes]
    for section in others[:2] if asker.name != "asked" else others:
        answer = line.send(asker, path, Request(f"/write/{section}", {"do": "open"}))
        if answer.status_code != 403 or probe.markers(answer):
            line.wrong.append(f"{case.pathway} {case.asked.step}: {asker.name} opens {section}: {answer.status_code}")


def lists(line: Probe) -> None:
    """Ask everybody's lists and searches about each case."""
    pages = {"inbox": Request("/inbox"), "overview": Request("/overview"), "progress": Request("/overview/progress", {})}
    for case in line.cases:
        for asker in _lists_of(line, case):
            for row, request in pages.items():
                cell, answer = matrix.row(row).cells[asker.name], line.send(asker, "", request)
                found = probe.seen(answer, case, asker, listed=True, part=row if row == "progress" else "")
                if answer.status_code != (303 if cell == DOOR else 200) or found - probe.letters(cell):
                    line.wrong.append(f"{row}: {asker.name} of {case.pathway}: {answer.status_code}, shows {sorted(found)}")
                line.shown[row, asker.name] |= found
            _find(line, asker, case)


def reports(line: Probe) -> None:
    """Ask for a referral that nobody vouches for: the desk reads what its sender wrote, and after it has decided only the number."""
    case = line.cases[0]
    people, wrote = line.people[case.number], ("identity", "location", "narrative", "reporter")
    task, report = cases.report(line.world, case)
    path, desk = f"/unverified/{task}", people["desk"]
    before = line.world.everything()
    for asker in (*people.values(), *line.outside):
        for request in REQUESTS["/unverified"] if asker is not desk else ():
            line.refused(asker, path, request)
        for row, request in (("reports", Request("/unverified")), *(() if asker is desk else at_once(task))):
            found = probe.seen(line.send(asker, "", request), report, asker)
            if found - probe.letters(matrix.row(row).cells[asker.name]):
                line.wrong.append(f"{row}: {asker.name} is shown {sorted(found)} by {request}")
            line.shown[row, asker.name] |= found
    assert line.world.everything() == before
    line.allowed("report", desk, report, path, (Request(""),))
    line.allowed("report-file", desk, report, path, (Request("/show", {}),))
    line.allowed("reports-file", desk, report, "", (Request("/unverified/read", {"shown": task}),))
    page = line.send(desk, path, Request("/show", {})).text
    written = [section for section in line.world.lists.codes["written"] if report.text(section) in page]
    if sorted(written) != sorted(wrote):
        line.wrong.append(f"report-file: the desk reads {written}")
    line.world.say(report.case_id, e.PersonNotNeeded(why=WHY, task_id=task, how="confirmed"))
    if more := probe.seen(line.send(desk, path, Request("")), report, desk) - {"N"}:
        line.wrong.append(f"report: settled, and the desk is shown {sorted(more)}")


def exercises(line: Probe) -> None:
    """Ask for the list of exercises, with nothing but real cases on the line: some have the page, and it names none of them."""
    for case in line.cases:
        for asker in line.people[case.number].values():
            cell, answer = matrix.row("exercises").cells[asker.name], line.send(asker, "", Request("/exercises"))
            status = {NOTHING: 404, DOOR: 303}.get(cell, 200)
            # In office hours a form beside the list names the asker's own municipality.
            named = probe.seen(answer, case, asker, part="known")
            if answer.status_code != status or named or case.case_id in answer.text or case_number(case.case_id) in answer.text:
                line.wrong.append(f"exercises: {asker.name} of {case.pathway}: {answer.status_code}")


def at_once(task: str) -> tuple[tuple[str, Request], ...]:
    """Return the forms of the list that read and refuse several at once: of a task that may not be the asker's."""
    refuse = {"shown": task, "mark.1": task, "which": "marked", "reason": "made-up", "key": probe.KEY}
    return (
        ("reports-file", Request("/unverified/read", {"shown": task})),
        ("reports", Request("/unverified/refuse", refuse)),
        ("reports", Request("/unverified/refuse", refuse | {"sure": "yes"})),
    )


def late(line: Probe) -> None:
    """Send a section after the session has ended by time: it is kept for its author, and nothing is shown.

    The sign-in page names what waits for "I have seen it", by number, and fills in the login.
    """
    for case in line.cases:
        for do in ("draft", "save"):
            answer = line.send(
                line.people[case.number]["old"], case.things["offer"], Request("/write/note", {"f.text": "made up", "do": do})
            )
            if answer.status_code != 403 or probe.markers(answer) or case_number(case.case_id) in answer.text:
                line.wrong.append(f"write: a session that is over: {answer.status_code}")
        for name in ("old", "off", "kept"):
            found = probe.seen(line.send(line.people[case.number][name], "", Request("/signin")), case, line.people[case.number][name])
            if found - probe.letters(matrix.row("signing-in").cells[name]):
                line.wrong.append(f"seen: {name} is shown {sorted(found)}")
            line.shown["signing-in", name] |= found


def _lists_of(line: Probe, case: Case) -> Iterator[Asker]:
    people = line.people[case.number]
    yield from (asker for name, asker in people.items() if name not in ("old", "off"))
    yield askers.renamed(people["beside"], "held")
    yield from line.outside if case is line.cases[0] else ()


def _find(line: Probe, asker: Asker, case: Case) -> None:
    """Hold that a number leads to the pages of who has some, and is for all others a number that no case has."""
    cell, number = matrix.row("find").cells[asker.name], case_number(case.case_id)
    answer = line.send(asker, "", Request("/overview/find", {"number": number}))
    if "N" in cell:
        line.shown["find", asker.name] |= {"N"}
        if not (answer.status_code == 303 or (answer.status_code == 200 and f"· {number}</a>" in answer.text)):
            line.wrong.append(f"find: {asker.name} of {case.pathway}: {answer.status_code}")
        return
    unknown = case_number(str(uuid.uuid4()))
    other = line.send(asker, "", Request("/overview/find", {"number": unknown}))
    if asker.plain(answer, number) != asker.plain(other, unknown):
        line.wrong.append(f"find: {asker.name} of {case.pathway} learns that the case exists")


def over(line: Probe) -> None:
    """Let the probed step end: its agency keeps the number of the case, and nothing else."""
    for case in line.cases:
        line.world.say(case.case_id, closed(case.asked.offer_id, e.How.COMPLETED))
        for name in ("asked", "colleague", "head"):
            past = askers.renamed(line.people[case.number][name], "past")
            line.allowed("over", past, case, case.things["offer"], OWNED["over"])
            for request in REQUESTS["/offers"][1:]:
                answer = line.send(past, case.things["offer"], request)
                if more := probe.seen(answer, case, past) - probe.letters(matrix.row("over").cells["past"]):
                    line.wrong.append(f"over: {name} {request} shows {sorted(more)}")


def slip(line: Probe) -> None:
    """Let the answer that ended it be a moment old: its agency is told which steps were asked since, and whom to telephone."""
    for case in line.cases:
        people = line.people[case.number]
        cases.ended(line.world, case, people["colleague"].account)
        for name in ("asked", "colleague", "head"):
            line.allowed("slip", askers.renamed(people[name], "past"), case, case.things["offer"], OWNED["slip"])


@pytest.mark.parametrize(
    ("pathways", "thin"), [(FEW, 4), pytest.param(EVERY, 1, marks=[pytest.mark.long, pytest.mark.timeout(1200)])], ids=["one", "seven"]
)
def test_every_cell(database: str, key_files: tuple[Path, Path], pathways: tuple[str, ...], thin: int) -> None:
    with World(database, key_files[0], POLICY) as world:
        made = list(cases.cases(world, pathways))
        people = {case.number: askers.staff(world, case, askers.apart(POLICY, made)) for case in made}
        for case in made:
            cases.recorded(world, case, people[case.number]["colleague"].account, people[case.number]["beside"].account)
        line = Probe(world, made, people, tuple(askers.outsiders(world)), thin)
        before = world.everything()
        forbidden(line)
        assert world.everything() == before, "what is forbidden changes nothing"
        for ask in (lists, reports, exercises, late, open_to, over, slip):
            ask(line)
        line.complete()
        assert not line.wrong, "\n".join(line.wrong)
