"""`referral audit figures --release`: the releases that the log itself holds, compared with what its cases say."""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from referral.cli import run
from referral.domain.events import FigureReleased, Mark, ReleaseMade, Word
from referral.proof.entry import SEQUENCED
from referral.proof.figures import releases as released
from referral.proof.history import case
from referral.wire import codec, headers
from referral.wire.figure_release import Published
from services.oversight import feed
from services.oversight import release as oversight
from services.oversight.calendar import after, begins, closes
from services.oversight.counting import tables as folded
from services.oversight.counting.projection import Courses
from services.oversight.disclosure import releases
from services.oversight.pages import downloads, naming
from services.oversight.release_builder import measured
from tests.harness.audit_archive import Rows, auditor_key, exported
from tests.harness.audit_log import POLICY, Log, asked, response, story

CHILDREN = 40
"""Enough to be told in one month."""
MONTH = "2026-01"


@pytest.fixture(scope="module")
def cases() -> Log:
    log = Log()
    for number in range(CHILDREN):
        story(log, f"case {number}")
    return log


@pytest.fixture(scope="module")
def told(cases: Log) -> oversight.Release:
    """What oversight makes of them."""
    [made] = made_of(cases, [MONTH])
    assert any(one.mark is Mark.SHOWN for one in made.figures) and any(one.mark is Mark.HIDDEN for one in made.figures)
    return made


def made_of(cases: Log, months: Iterable[str]) -> list[oversight.Release]:
    """The releases of these months."""
    courses, known, made = Courses(), folded.known(POLICY), list[oversight.Release]()
    for entry in cases.entries:
        if entry.kind in SEQUENCED:
            read = case.unseal(entry, cases.keys[entry.case_id])
            courses.note(entry.topic, read.meta, read.body)
    counting = measured([one.id for one in POLICY.current], lambda _: known)
    for month in months:
        everybody = [course for pathway in courses.pathways() for course in courses.of(pathway, 0, begins(after(month)))]
        made.append(releases.make(month, everybody, courses.fulls(month, POLICY, closes(month)), made, {}, counting))
    return made


def publish(log: Log, bodies: Iterable[FigureReleased | ReleaseMade]) -> None:
    """As oversight does, on its topic."""
    for body in bodies:
        key = feed.place(body)
        log.put(body.TOPIC, 0, key.encode(), codec.encode(body), headers.plain(body.TYPE, id=key, source="oversight", at=log.now))


@pytest.fixture
def log(cases: Log, told: oversight.Release) -> Log:
    """The cases, and their release behind them; a test may add to it."""
    own = copy.deepcopy(cases)
    publish(own, [*told.figures, told.made])
    return own


class Auditor:
    """Who has a log exported, with its keys, and types."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.key = folder, capsys, auditor_key(folder)

    def compares(self, there: Rows, keys: Mapping[str, bytes], which: str = "all") -> tuple[int, str]:
        """Exit code, and what is printed."""
        export = exported(self.folder / f"export-{len([*self.folder.iterdir()])}", there, keys)
        code = run(["audit", "figures", str(export), "--key", str(self.key), "--release", which])
        return code, "".join(self.capsys.readouterr())

    def asks(self, export: Path, query: str) -> list[dict[str, Any]]:
        """What a query of the definitions prints, its `jq` done by hand."""
        command, _, chosen = query.partition(" | ")
        command = command.replace(" export ", f" {export} ").replace("auditor.key", str(self.key))
        assert run(shlex.split(command)[1:]) == 0
        [(start, named)] = re.findall(r"""^jq '\.figures\[\] \| select\(\.measure (==|\|) (?:startswith\()?"([a-z.-]+)"\)+'$""", chosen)
        figures = json.loads(self.capsys.readouterr().out)["figures"]
        return [one for one in figures if (one["measure"].startswith(named) if start == "|" else one["measure"] == named)]


@pytest.fixture
def auditor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Auditor:
    return Auditor(tmp_path, capsys)


def one(told: oversight.Release, measure: str, group: str) -> FigureReleased:
    return next(one for one in told.figures if (one.measure, one.group) == (measure, group) and one.mark is not Mark.WAITING)


def wrong(told: oversight.Release) -> tuple[FigureReleased, str]:
    """A figure that is told by one too many, and what the auditor reads about it."""
    true = one(told, "wait.accepted", "half")
    assert true.value is not None
    other = structs.replace(true, value=true.value + 1)
    return other, f"1: {released.name(true)}: the release says {other.value}, the log {true.value}"


def test_the_releases_of_an_export_are_those_that_its_log_holds(log: Log, auditor: Auditor) -> None:
    for which in ("all", "1"):
        code, said = auditor.compares(Rows(log.entries), log.keys, which)
        assert code == 0 and MONTH in said, said
    code, said = auditor.compares(Rows(log.entries), log.keys, "2")
    assert code == 1 and "no such release" in said
    log.entries.pop()  # its last record: without that one the release is not there
    code, said = auditor.compares(Rows(log.entries), log.keys)
    assert code == 1 and "no such release" in said


def test_a_figure_that_is_written_to_the_topic_once_more_is_named(log: Log, told: oversight.Release, auditor: Auditor) -> None:
    other, line = wrong(told)
    publish(log, [other])
    code, said = auditor.compares(Rows(log.entries), log.keys)
    assert code == 1 and line in said and "1: digest: " in said, said


def test_a_figure_that_is_changed_in_the_log_is_named(log: Log, told: oversight.Release, auditor: Auditor) -> None:
    other, line = wrong(told)
    there = Rows(log.entries)
    place = next(entry.idx for entry in log.entries if entry.key == feed.place(other).encode())
    kept = there.payloads[place]
    assert kept is not None
    there.payloads[place] = structs.replace(kept, value=codec.encode(other))
    code, said = auditor.compares(there, log.keys)
    assert code == 1 and line in said, said


def test_a_download_with_a_true_figure_that_was_hidden_is_not_the_release_that_was_logged(
    log: Log, told: oversight.Release, auditor: Auditor
) -> None:
    """Figure, digest and counts agree with one another and with the cases."""
    hidden = one(told, "duplicate", "no")
    assert hidden.mark is Mark.HIDDEN
    told_too = structs.replace(hidden, mark=Mark.SHOWN, value=CHILDREN)
    figures = tuple(told_too if figure is hidden else figure for figure in told.figures)
    made = structs.replace(told.made, digest=oversight.digest(figures), shown=told.made.shown + 1, hidden=told.made.hidden - 1)

    def download(made: ReleaseMade, figures: Iterable[FigureReleased]) -> str:
        path = auditor.folder / "releases.json"
        path.write_bytes(downloads.figures_json([Published(made, tuple(figures), 1)]))
        return str(path)

    code, said = auditor.compares(Rows(log.entries), log.keys, download(told.made, told.figures))
    assert code == 0, said
    code, said = auditor.compares(Rows(log.entries), log.keys, download(made, figures))
    assert code == 1 and "1: digest, as it was logged: " in said, said
    assert f"1: {released.name(hidden)}, as it was logged: the release says ({CHILDREN}, 'SHOWN'), the log (None, 'HIDDEN')" in said


def test_the_printed_query_gives_the_figures_of_a_block_of_several_months(auditor: Auditor) -> None:
    """As of the close of the last one: twelve came in January and wait until April, twelve in February for ever."""
    log, months = Log(), ["2026-01", "2026-02", "2026-03"]
    slow = [asked(log, f"January {number}") for number in range(12)]
    log.now = begins("2026-02")
    for number in range(12):
        asked(log, f"February {number}")
    log.now = begins("2026-03")
    for number in range(12):
        story(log, f"March {number}")
    log.now = begins("2026-04")
    for case_id, police in slow:
        log.input(case_id, response(police, Word.ACCEPT, case_id), f"accept {case_id}")
    *waits, last = made_of(log, months)
    shown = {(f.pathway, f.measure, f.group): f.value for f in last.figures if f.mark is Mark.SHOWN and f.first == months[0]}
    assert not any(f.value for one in waits for f in one.figures if f.pathway)
    assert shown["trafficking-child", "stage", "accepted"] == 24 and ("trafficking-child", "wait.accepted", "half") in shown
    export = exported(auditor.folder / "export", Rows(log.entries), log.keys)
    found: dict[tuple[str, str, str], int] = {}
    defined = naming.load(11).measures
    for id in ("stage", "wait"):
        assert "--month 2027-01..2027-03 " in defined[id].query
        for row in auditor.asks(export, defined[id].query.replace("2027-", "2026-")):
            assert (row["first"], row["last"]) == (months[0], months[-1])
            found[row["pathway"], row["measure"], row["group"]] = row["value"]
    assert found.items() >= {key: value for key, value in shown.items() if key[1].partition(".")[0] in ("stage", "wait")}.items()
    rows = auditor.asks(export, defined["full"].query.replace("2027-", "2026-"))
    ours = {f.group: f.value for f in last.figures if f.measure == "full" and f.mark is Mark.SHOWN}
    assert {row["first"] for row in rows} == {months[-1]} and ours.items() <= {row["group"]: row["value"] for row in rows}.items() and ours


@pytest.mark.parametrize("months", ["2027", "0000-01", "2027-01..9999-12", "2027-13", "2027-03..2027-01", "2027-01...2027-03", "2027-01.."])
def test_months_that_are_none_are_refused(months: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "figures", str(tmp_path), "--month", months]) == 2
    assert "write 2027-01, or 2027-01..2027-03" in capsys.readouterr().err.replace("\n", " ")


def test_without_a_case_or_a_figure_no_empty_heading_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It printed "to : SMALL COUNTS" without a month, or said that a month had closed without a policy."""
    log, key = Log(), auditor_key(tmp_path)
    export = exported(tmp_path / "log", Rows(log.entries), log.keys)
    assert run(["audit", "figures", str(export), "--key", str(key)]) == 0
    out = capsys.readouterr().out
    assert "no case that can be read" in out and "SMALL COUNTS" not in out
    assert run(["audit", "figures", str(export), "--key", str(key), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == []
