"""`referral audit figures --release`: the releases that the log itself holds, compared with what its cases say."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from referral.cli import run
from referral.cli.oversight_rows import Published
from referral.domain.events import FigureReleased, Mark, ReleaseMade
from referral.proof import figures as plain
from referral.proof import history, released
from referral.proof.entry import SEQUENCED
from referral.wire import codec, headers
from services.oversight import downloads, releases
from services.oversight import figures as folded
from services.oversight import release as oversight
from services.oversight.blocks import Measures
from services.oversight.courses import Courses
from tests.unit.audit_archive import Rows, auditor_key, exported
from tests.unit.audit_log import POLICY, Log, story

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
    courses, known = Courses(), folded.known(POLICY)
    for entry in cases.entries:
        if entry.kind in SEQUENCED:
            read = history.unseal(entry, cases.keys[entry.case_id])
            courses.note(entry.topic, read.meta, read.body)
    measures = Measures(tuple(one.id for one in POLICY.current), partial(folded.tables, known=known), folded.spreads)
    everybody = [course for pathway in courses.pathways() for course in courses.of(pathway, 0, plain.close_of(MONTH))]
    made = releases.make(MONTH, everybody, courses.fulls(MONTH, POLICY, plain.close_of(MONTH)), [], {}, measures)
    assert any(one.mark is Mark.SHOWN for one in made.figures) and any(one.mark is Mark.HIDDEN for one in made.figures)
    return made


def publish(log: Log, bodies: Iterable[FigureReleased | ReleaseMade]) -> None:
    """As oversight does, on its topic."""
    for body in bodies:
        key = f"release/{body.release}" if isinstance(body, ReleaseMade) else oversight.key(body)
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
    place = next(entry.idx for entry in log.entries if entry.key == oversight.key(other).encode())
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
