"""A release before this one runs on this release's tables: its migrations stay as they are, and later ones only add."""

from __future__ import annotations

import subprocess

import pytest

from tests.harness import previous_release
from tests.harness.previous_release import ROOT, subtractions

HIDDEN = {"0003_published.py": ["RENAME", "DROP", "ADD PRIMARY"]}
"""What a migration takes away behind a view of the old name, through which the release before reads and writes as it did: the upgrade
under load (tests/deploy/test_upgrade.py) is the proof."""
PREVIOUS = previous_release.read(previous_release.FILE.read_text("utf-8"))


def test_a_released_migration_is_never_edited() -> None:
    present = {path.relative_to(ROOT).as_posix(): previous_release.digest(path.read_bytes()) for path in previous_release.present()}
    assert {path: present.get(path) for path in PREVIOUS.migrations} == PREVIOUS.migrations


def test_a_migration_since_the_release_before_only_adds() -> None:
    new = [path for path in previous_release.present() if path.relative_to(ROOT).as_posix() not in PREVIOUS.migrations]
    assert {path.name: found for path in new if (found := subtractions(path.read_text("utf-8")))} == HIDDEN


def test_the_file_says_what_that_commit_has() -> None:
    try:
        found = previous_release.at(PREVIOUS.commit)
    except subprocess.CalledProcessError:
        pytest.skip("a shallow clone has not got the release before: git fetch --unshallow")
    assert found == PREVIOUS


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE intake.erasure DROP COLUMN basis",
        "DROP TABLE notifier.leave",
        "ALTER TABLE routing.case_state RENAME COLUMN state TO body",
        "alter table audit.entry alter column at type timestamptz",
        "ALTER TABLE audit.entry ALTER COLUMN at SET NOT NULL",
        "ALTER TABLE audit.entry ADD COLUMN kind text NOT NULL",
        "ALTER TABLE audit.entry ADD CONSTRAINT short CHECK (size < 9)",
        "op.drop_column('entry', 'at')",
        "DELETE FROM runtime.settings",
    ],
)
def test_what_takes_something_away_is_found(statement: str) -> None:
    assert subtractions(f'"""Change a table."""\nop.execute("{statement}")\n')


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE notifier.leave (agency text NOT NULL, at bigint NOT NULL CHECK (at > 0), PRIMARY KEY (agency, at))",
        "ALTER TABLE intake.erasure ADD COLUMN requested_signature bytea",
        "ALTER TABLE intake.erasure ADD COLUMN night boolean NOT NULL DEFAULT false",
        "CREATE INDEX later ON audit.entry (at)",
        "CREATE OR REPLACE VIEW intake.waiting AS SELECT 1",
    ],
)
def test_what_only_adds_is_allowed(statement: str) -> None:
    assert subtractions(f'"""Change a table."""\nop.execute("{statement}")\n') == []
