"""`referral init`: everything is there once, nobody reads another's, a program reads its own file, a kill leaves nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ReasonFlags
from msgspec import structs

from referral.ca import authority, identity, renewal
from referral.cli import run
from referral.errors import Rejected
from referral.installation import folder, layout
from referral.installation.layout import Line
from referral.runtime import settings
from referral.runtime.keys import case_keys, service_keys
from referral.runtime.postgres import rights, role_passwords
from referral.runtime.settings import SERVICES
from referral.wire.signed import trust
from tests.harness.certificates import context, shake, today
from tests.harness.struck import strikes

NOW = today()
AT = Path("/etc/referral")
LINE = Line(
    at=AT,
    brokers=("kafka-1.example:9092", "kafka-2.example:9092"),
    databases=("db.example:5432",),
    inbox="https://inbox.example",
    audit="https://audit.example:8444",
    notifier="https://notifier.example:8445",
    oversight="https://figures.example",
    name="audit.example/referral",
    smtp="localhost:25",
    smtp_from="line@inbox.example",
    lists="file:///etc/referral/lists",
    hosts={"intake": ("intake.referral.svc",)},
    exercise=True,
)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("init") / "referral"
    folder.make(place, LINE, b"", NOW)
    return place


def words(made: Path, name: str) -> dict[str, object]:
    """Return the words of a program's file."""
    return tomllib.loads((made / name / f"{name}.toml").read_text())


def read(file: Path) -> dict[str, str]:
    """Return the variables of an environment file, as an engine without quotes reads them."""
    lines = (line for line in file.read_text("ascii").splitlines() if not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_every_file_names_files_that_are_there_and_nobody_elses(made: Path) -> None:
    for name in (*SERVICES, "keeper"):
        found = words(made, name)
        values = [one for value in found.values() for one in (value if isinstance(value, list) else [value])]
        named = {Path(one) for one in values if str(one).startswith(str(AT))} - {AT / "authority", AT / "trust.toml"}
        assert named and all((made / path.relative_to(AT)).exists() for path in named), name
        assert {path.relative_to(AT).parts[0] for path in named} == {name}
        assert ("master_key_file" in found) == (name == "keeper")
        assert (made / Path(str(found["trust"])).relative_to(AT)).exists()


def test_each_service_starts_with_settings_that_it_understands_and_keys_of_its_own(made: Path, tmp_path: Path) -> None:
    for name in SERVICES:
        file = tmp_path / f"{name}.toml"
        file.write_text((made / name / f"{name}.toml").read_text().replace(str(AT), str(made)))
        found = settings.load({settings.FILE: str(file)})
        assert name != "notifier" or [(one.server, one.sender) for one in found.smtp] == [(LINE.smtp, LINE.smtp_from)]
        assert case_keys.read(found, name) and found.master_key_file is None and found.service_keys is None
        assert found.database_password_file is not None and role_passwords.read(found.database_password_file)
        assert settings.address(found.http).tls and settings.address(found.inner).tls
        assert str(identity.read(found.identity()).leaf.name) == f"service/{name}"
        public = trust.read((made / "trust.toml").read_bytes()).writers.keys.get(name)
        assert (public is None) == (name in ("audit", "eraser"))
        if found.writer_key_file is not None:
            assert public is not None and case_keys.signing(found.writer_key_file).public_key().public_bytes_raw() in public


def test_prepare_takes_the_passwords_and_keys_that_are_there(made: Path) -> None:
    keeper = made / "keeper"
    before = {path: path.read_bytes() for path in keeper.rglob("*") if path.is_file()}
    assert role_passwords.ensure(keeper / "passwords", rights.ROLES).keys() == set(rights.ROLES)
    service_keys.write(keeper / "services", service_keys.MasterKeys(bytes.fromhex((keeper / "master.key").read_text())))
    assert {path: path.read_bytes() for path in keeper.rglob("*") if path.is_file()} == before
    for name in SERVICES:
        assert (made / name / "password").read_bytes() == (keeper / "passwords" / name).read_bytes()


def test_what_is_secret_is_its_owners_alone(made: Path) -> None:
    public = ("trust.toml", "root.pem", "authority.pem", "revoked.pem", "certificate.pem", "list.pem", "lists.url")
    open_ = {path.relative_to(made) for path in made.rglob("*") if path.is_file() and path.stat().st_mode & 0o077}
    assert {path.name for path in open_ if "issued" not in path.parts} == set(public) and not list(made.rglob("*.new"))
    top = {path.name: path.stat().st_mode & 0o777 for path in made.iterdir() if path.is_dir()}
    assert {name for name, mode in top.items() if mode != 0o700} == {"lists"}


def test_programs_believe_one_another_by_the_names_under_which_they_are_reached(made: Path) -> None:
    hosts = {name: identity.read(made / name / ("tls" if name in SERVICES else "")).leaf for name in layout.programs(LINE)}
    assert str(hosts["kafka-2"].name) == "service/kafka" and {"kafka-2.example", "kafka-2", "localhost"} <= set(hosts["kafka-2"].hosts)
    assert {"inbox.example", "intake", "intake.referral.svc", "127.0.0.1"} <= set(hosts["intake"].hosts)
    broker, intake = made / "kafka-1", made / "intake" / "tls"
    met = shake(context(broker, broker, server=True), context(intake, intake, server=False))
    assert all(isinstance(one, bytes) for one in met.values()), met
    (root,) = x509.load_pem_x509_certificates((broker / "root.pem").read_bytes())
    assert root.issuer == root.subject


def test_the_file_of_trust_names_everybody(made: Path) -> None:
    found = trust.read((made / "trust.toml").read_bytes())
    assert len(found.policy.signers) == len(found.erasers.approvers) == len(found.operators.keys) == 2
    assert found.erasers.intake == (case_keys.signing(made / "intake" / "intake.key").public_key().public_bytes_raw(),)
    assert "operator/keeper" in found.operators.keys and "quorum none" in found.witness_policy.decode()


def test_each_word_stands_below_its_meaning(made: Path) -> None:
    lines = (made / "audit" / "audit.toml").read_text().splitlines()
    for number, line in enumerate(lines):
        assert "=" not in line or (lines[number - 1].startswith("# ") and not lines[number - 2])


def test_the_variables_of_0_1_0_are_carried_over(made: Path, tmp_path: Path) -> None:
    """As docs/deploy.md says it: those of the line, then those of the program; two gateways of a parallel list become two tables."""
    old = {f"REFERRAL_{word.upper()}": value for word, value in words(made, "notifier").items() if isinstance(value, str)}
    old |= {"REFERRAL_SMTP": LINE.smtp, "REFERRAL_SMTP_FROM": LINE.smtp_from, "REFERRAL_CAPS": "sms=500,voice=200"}
    old |= {"REFERRAL_SMS": "https://a.example/s,https://b.example/s", "REFERRAL_SMS_FROM": "one,two", "REFERRAL_DRILL_CLOCK": "1"}
    done = subprocess.run([sys.executable, "-m", "referral.installation"], env=old, capture_output=True, text=True, check=True)
    (tmp_path / "x.toml").write_text(done.stdout)
    before, after = settings.load(old), settings.load({settings.FILE: str(tmp_path / "x.toml")})
    assert structs.replace(after, instance="") == structs.replace(before, instance="")
    assert [one.sender for one in after.sms] == ["one", "two"]


def test_the_backup_machine_gets_one_role_and_the_root_by_which_it_believes_the_server(made: Path) -> None:
    found, role = read(made / "archive" / "archive.env"), made / "archive"
    assert {path.name for path in role.iterdir()} == {"archive.env", "pgpass", "root.pem"}
    assert {found["PGPASSFILE"], found["PGSSLROOTCERT"]} == {str(AT / "archive" / name) for name in ("pgpass", "root.pem")}
    assert (found["PGHOST"], found["PGPORT"], found["PGUSER"], found["PGSSLMODE"]) == ("db.example", "5432", "archive", "verify-full")
    assert found["RECIPIENTS"] == str(AT / "archive" / "recipients"), "to whom backups are encrypted; none are taken without it"
    password = (made / "postgres" / "archive.password").read_text().strip()
    assert (role / "pgpass").read_text() == f"*:*:*:archive:{password}\n" and password not in (
        made / "postgres" / "keeper.password"
    ).read_text()
    assert (role / "root.pem").read_bytes() == (made / "postgres" / "root.pem").read_bytes()
    several = layout.archive(replace(LINE, databases=("a.example:5432", "[fd00::1]:5433")))
    assert (several["PGHOST"], several["PGPORT"]) == ("a.example,fd00::1", "5432,5433")


def test_the_published_lists_follow_the_authority_at_once(made: Path) -> None:
    at = authority.place(made / "authority", made / "safe" / "root.pem")
    for one in ("root", "services-1", "agencies-1", "operators-1"):
        assert (made / "lists" / one / "list.pem").read_bytes() == (at.folder / one / "list.pem").read_bytes()
    gone = authority.revoke(at, "service/oversight", ReasonFlags.superseded, NOW)
    known = x509.load_pem_x509_crl((made / "lists" / "services-1" / "list.pem").read_bytes())
    assert known.get_revoked_certificate_by_serial_number(gone[0].serial) is not None
    assert renewal.renew(at, made / "audit" / "tls", NOW, always=True) is not None


def test_several_databases_are_one_address_without_a_sign_that_a_shell_takes() -> None:
    line = replace(LINE, databases=("a.example:5432", "b.example:5433"), by_name=True)
    assert layout.shared(line)["database"] == "postgresql+asyncpg://keeper@/referral?host=a.example:5432,b.example:5433"
    assert layout.service(line, "intake")["audit_url"] == "https://audit:8444"
    assert {"postgres-1", "postgres-2", "kafka-1"} <= layout.programs(line).keys()
    with pytest.raises(Rejected, match="know no quotes"):
        layout.written({"PGHOST": "a&b"}, "of a test")


def test_a_kill_leaves_nothing_that_a_second_run_takes_for_whole(tmp_path: Path) -> None:
    place = tmp_path / "referral"
    whole = []

    def after(_: int) -> None:
        whole.append(place.exists())
        if place.exists():
            assert (place / "oversight" / "oversight.toml").exists() and not (tmp_path / ".referral.new").exists()

    assert strikes(lambda: folder.make(place, LINE, b"", NOW), after, every=97) >= 3
    assert whole == [False] * (len(whole) - 1) + [True]


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("mine")
    assert run(["init", str(tmp_path), "--exercise"]) == 1
    assert "no key is ever overwritten" in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_empty_folder_is_filled_and_the_table_names_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "etc"
    place.mkdir()
    assert run(["init", str(place), "--exercise", "--host", "line.example"]) == 0
    said = capsys.readouterr().out
    for path in place.iterdir():
        assert path.name in said, path.name
    assert "referral prepare" in said and "take away" in said


def test_people_send_their_lines_and_no_key_of_theirs_is_here(tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = tmp_path / "people.txt"
    lines = re.findall(r"^(?:policy_keepers|approvers|operators)\..*\n", (made / "trust.toml").read_text(), re.M)
    off = 'policy_keepers = "off"\n'
    spelt = [line.replace("approvers", "aprovers") for line in lines]
    slips = {"`approvers` is missing": lines[:2], "names one policy keeper": lines[1:], "line 9 `aprovers`": spelt}
    for said, given in {**slips, "without two policy_keepers": [off, *lines[2:]]}.items():
        people.write_text("".join(given))
        assert run(["init", str(tmp_path / "few"), "--people", str(people)]) == 1
        assert said in capsys.readouterr().err and not (tmp_path / "few").exists(), said
    people.write_text("".join(lines))
    assert run(["init", str(tmp_path / "real"), "--people", str(people)]) == 0
    assert set(lines) <= set((tmp_path / "real" / "trust.toml").read_text().splitlines(keepends=True))
    assert not (tmp_path / "real" / "keeper" / "people").exists()
    assert not {"operator_keys", "policy_keys"} & words(tmp_path / "real", "keeper").keys()


@pytest.mark.parametrize("more", [[], ["--exercise", "--people", "x"]])
def test_nobody_gets_made_up_people_without_asking(tmp_path: Path, more: list[str]) -> None:
    assert run(["init", str(tmp_path / "x"), *more]) == 1
    assert not (tmp_path / "x").exists()
