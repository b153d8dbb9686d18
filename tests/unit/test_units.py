"""The units of deploy/systemd: systemd reads them without a complaint, they are hardened, and each program has a user and a folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from referral.installation.layout import ARCHIVE, KAFKA, KEEPER
from referral.local import data_folder
from referral.runtime.settings import SERVICES

FOLDER = data_folder.checkout() / "deploy" / "systemd"
EXPOSURE = 2.0
"""Most exposure of a unit, of 10 (ours): a unit without any hardening has 9.6."""
WITH_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs apt-get install systemd")
UNITS = sorted(path.name for path in FOLDER.glob("referral*"))


@WITH_SYSTEMD
def test_systemd_reads_every_unit_without_a_complaint(tmp_path: Path) -> None:
    for name in UNITS:  # where it is no server, no program stands in /opt
        text = re.sub(r"^ExecStart=/opt/\S+", "ExecStart=/bin/true", (FOLDER / name).read_text("utf-8"), flags=re.M)
        (tmp_path / name.replace("@.", "@intake.")).write_text(text.replace("/usr/bin/java", "/bin/true"))
    words = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@WITH_SYSTEMD
@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_is_hardened(name: str) -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(FOLDER / name)]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    assert float(said.rpartition("Overall exposure level")[2].split(": ")[1].split()[0]) <= EXPOSURE, said


def test_each_program_has_a_user_of_its_own_and_its_folder() -> None:
    users = re.findall(r"^u referral-(\w+) ", (FOLDER / "sysusers.conf").read_text("utf-8"), re.M)
    owners = re.findall(r"^Z /etc/referral/(\w+) - referral-(\w+) referral-(\w+) -$", (FOLDER / "tmpfiles.conf").read_text("utf-8"), re.M)
    assert sorted(users) == sorted((*SERVICES, KEEPER, KAFKA, ARCHIVE)) == sorted(owner for owner, *_ in owners)
    assert all(len(set(row)) == 1 for row in owners)
