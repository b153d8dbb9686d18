"""A secret's file is refused that others may read, and taken from root as systemd and Kubernetes hand it out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from referral import file_rights
from referral.ca import files

NOBODY = 65534


@pytest.mark.parametrize(
    ("owner", "mode", "exposed"),
    [
        (NOBODY, 0o600, False),
        (NOBODY, 0o400, False),
        (NOBODY, 0o640, True),
        (NOBODY, 0o604, True),
        (0, 0o400, False),
        (0, 0o440, False),
        (0, 0o460, True),
        (0, 0o444, True),
    ],
)
def test_who_else_may_read_it(owner: int, mode: int, exposed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.touch()
    found = os.stat_result((mode, 0, 0, 1, owner, owner, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _: found)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    assert file_rights.exposed(file) is exposed


def test_root_has_no_file_of_its_own_that_its_group_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "stat", lambda _: os.stat_result((0o440, 0, 0, 1, 0, 0, 0, 0, 0, 0)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert file_rights.exposed(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to write for somebody else")
def test_what_root_renews_stays_its_owners(tmp_path: Path) -> None:
    place = tmp_path / "tls"
    place.mkdir(0o700)
    os.chown(place, NOBODY, NOBODY)
    files.replace(place / "identity.pem", b"key", files.SECRET)
    found = (place / "identity.pem").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (NOBODY, NOBODY, 0o600)
