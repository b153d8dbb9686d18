"""Results of `referral doctor` for node_exporter: one line for each check, also when doctor did not run to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.cli.admin import doctor, doctor_textfile
from referral.cli.admin.doctor_result import Check, Result
from referral.errors import Rejected


def lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.startswith("#")]


def test_each_check_has_its_line_and_nothing_of_what_was_found(tmp_path: Path) -> None:
    checks = [Check(name="keys", result=Result.BAD, said="case 17 has no key"), Check(name="clock", result=Result.GOOD, said="")]
    doctor_textfile.write(tmp_path / "doctor.prom", checks)
    assert lines(tmp_path / "doctor.prom") == [
        'referral_doctor_check{check="keys",result="BAD"} 1.0',
        'referral_doctor_check{check="clock",result="good"} 1.0',
    ]


@pytest.mark.parametrize(("file", "code"), (("doctor.txt", "name"), ("nowhere/doctor.prom", "unwritable")))
def test_a_file_that_nobody_would_read_is_refused(tmp_path: Path, file: str, code: str) -> None:
    with pytest.raises(Rejected) as found:
        doctor_textfile.write(tmp_path / file, [])
    assert found.value.code == code


def test_a_doctor_that_cannot_look_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REFERRAL_KAFKA", "REFERRAL_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Rejected):
        doctor.doctor(textfile=tmp_path / "doctor.prom")
    assert lines(tmp_path / "doctor.prom") == ['referral_doctor_check{check="itself",result="not checked"} 1.0']
