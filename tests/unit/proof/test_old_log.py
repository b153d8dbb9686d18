"""The log of the first release, 0.1.0, with the key that opens it: it verifies for ever, by the frozen engine of that release.

golden/log-0.1.0.tar.xz was written at 43f3d131, the commit that `deploy/compat.txt` names, by its own `referral demo`, the story and then
`--pathways all`, and its own `referral audit export --all-cases`. `log_beat_s` was 15 instead of 0, for less cover. Everybody is made up.
"""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from referral.cli.app import run
from referral.cli.audit import source
from referral.cli.audit.replay import bundles, casebook
from referral.proof.entry import Entry, Kind

GOLDEN = Path(__file__).parents[1] / "golden" / "log-0.1.0.tar.xz"
PROCEDURES = {
    "trafficking-child", "trafficking-adult", "without-parental-care", "child-labour", "disability", "juvenile-justice", "rights-violation",
}  # fmt: skip
"""Each procedure that was in force, at least once to its end."""


EVENTS = {
    "case-closed.v1": 8, "case-opened.v1": 16, "case-raised.v1": 6, "deadline-passed.v1": 49, "decision-recorded.v1": 27,
    "knock-answered.v1": 1, "knock-delivered.v1": 9, "knock-sent.v1": 546, "needs-person.v2": 125, "offer-accepted.v1": 49,
    "offer-acknowledged.v1": 1, "offer-arrived.v1": 15, "offer-closed.v1": 96, "offer-escalated.v1": 13, "offer-opened.v1": 112,
    "person-not-needed.v1": 1, "referral-submitted.v1": 16, "response-submitted.v1": 113, "roster-changed.v1": 6,
    "section-disclosed.v1": 4, "step-done.v1": 69, "step-opened.v1": 85, "track-changed.v1": 24, "undo-allowed.v1": 11,
}  # fmt: skip
"""Type of record or decision → how often it is in the log."""


@pytest.fixture(autouse=True)
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(tmp_path, filter="data")


def entries() -> Iterator[Entry]:
    """Every entry of the log. It is as the tree says."""
    with source.opened(Path("export"), Path("auditor.key")) as there:
        book, against = casebook(there.archive, None)
        for index in range(book.size):
            entry, mark = book.entry(index)
            assert mark in ("logged", "said by routing"), against.says
            yield entry


def test_it_verifies_and_every_decision_of_it_is_made_again_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["audit", "verify", "export", "--key", "auditor.key", "--max-age", "0", "--jobs", "1", "--trust-log-names", "--json"]
    assert run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "good" and told["not_checked"] == []
    assert [finding["code"] for finding in told["findings"]] == ["ACT", "ACT"], "two notes: `referral policy activate`, `referral up`"
    counts = told["counts"]
    assert counts["decisions re-executed"] == counts["decisions"] == counts["decisions by engine 3"] == 190
    assert (counts["entries"], counts["cases"], counts["policy bundles"], counts["acts"]) == (2784, 16, 1, 2)
    assert told["checkpoint"]["root"] == "a16240afbb358a30503de5de37f00045a7185048fad1d15ab54d84936aadfb3b"
    assert [(one["signed_by"], one["changes"][0]) for one in told["policies"]] == [
        ("policy-keeper and oversight-office", "the first policy: 7 procedures, 313 agencies")
    ]


def test_it_holds_every_procedure_and_most_events_of_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    found = Counter((entry.kind, entry.type) for entry in entries() if entry.kind is not Kind.SCHEMA)
    assert {kind.name for kind, _ in found} == {
        "EVENT", "DECISION", "DISCLOSURE", "POLICY", "KEYS", "COVER", "HEARTBEAT", "ADMINISTRATION",
    }  # fmt: skip
    assert {type_: count for (_, type_), count in found.items() if type_} == EVENTS
    assert run(["audit", "replay", "export", "--key", "auditor.key", "--type", "track-changed", "--json"]) == 0
    begun = [line["what"].split()[1] for line in json.loads(capsys.readouterr().out)["lines"] if " begins " in line["what"]]
    assert set(begun) == PROCEDURES


def test_it_has_each_schema_that_the_release_knew_and_they_are_read_as_entries() -> None:
    """Those too of which 0.1.0 wrote no record, as versions before them had ended."""
    names = [entry.type for entry in entries() if entry.kind is Kind.SCHEMA]
    assert len(names) == len(set(names)) == 74
    assert {*EVENTS, "leaf.v3", "meta.v1", "case-erased.v1", "case-erased.v4"} <= {*names}


def test_it_is_compared_with_another_policy_by_its_own_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the policy that it logged nothing goes elsewhere; where the police have another limit, the cases are told otherwise."""
    with source.opened(Path("export"), Path("auditor.key")) as there:
        book, _ = casebook(there.archive, None)
        logged, *_ = bundles(book)
    found = []
    for folder, limit in (("same", b"acknowledge: 1 h P"), ("short", b"acknowledge: 1 min P")):
        for path, data in logged.body.files.items():
            (tmp_path / folder / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / path).write_bytes(data.replace(b"acknowledge: 1 h P", limit))
        assert run(["audit", "replay", "export", "--key", "auditor.key", "--policy", folder, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    same, short = found
    assert same["cases"] == short["cases"] == 16 and same["not_compared"] == short["not_compared"] == {}
    assert not same["elsewhere"] and not same["told_otherwise"]
    assert short["elsewhere"] or short["told_otherwise"]
