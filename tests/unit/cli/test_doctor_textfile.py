"""Results of `referral doctor` for node_exporter: one line for each check, also when doctor did not run to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.cli.admin.doctor import command
from referral.cli.admin.doctor.result import BY_RULES, NAMES, Check, Result, write
from referral.errors import Rejected
from referral.runtime.alert_rules import rules


def lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.startswith("#")]


def test_each_check_has_its_line_and_nothing_of_what_was_found(tmp_path: Path) -> None:
    checks = [Check(name="keys", result=Result.BAD, said="case 17 has no key"), Check(name="rights", result=Result.GOOD, said="")]
    write(tmp_path / "doctor.prom", checks)
    assert lines(tmp_path / "doctor.prom") == [
        'referral_doctor_check{check="keys",result="BAD"} 1.0',
        'referral_doctor_check{check="rights",result="good"} 1.0',
    ]


def test_what_an_alert_rule_judges_by_the_minute_is_no_second_alert(tmp_path: Path) -> None:
    """A backup that is too old was two alerts: BackupOld, and DoctorRed half an hour after it was mended."""
    assert {*BY_RULES} <= {*NAMES} and {rule for several in BY_RULES.values() for rule in several} <= rules().keys()
    write(tmp_path / "doctor.prom", [Check(name=name, result=Result.BAD, said="") for name in NAMES])
    assert {line.split('"')[1] for line in lines(tmp_path / "doctor.prom")} == {*NAMES} - {*BY_RULES}


@pytest.mark.parametrize(("file", "code"), (("doctor.txt", "name"), ("nowhere/doctor.prom", "unwritable")))
def test_a_file_that_nobody_would_read_is_refused(tmp_path: Path, file: str, code: str) -> None:
    with pytest.raises(Rejected) as found:
        write(tmp_path / file, [])
    assert found.value.code == code


def test_a_doctor_that_cannot_look_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REFERRAL_KAFKA", "REFERRAL_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Rejected):
        command.doctor(textfile=tmp_path / "doctor.prom")
    assert lines(tmp_path / "doctor.prom") == ['referral_doctor_check{check="itself",result="not checked"} 1.0']
