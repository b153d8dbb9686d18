"""The folder of an identity: what it takes, and what it refuses."""

from __future__ import annotations

import os
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509 import ReasonFlags
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referral.ca import authority, bundle, files, identity, keys, leaf, names, periods, renewal
from referral.ca.authority import Place
from referral.ca.names import Plane
from referral.errors import Malformed, Rejected, Unproven
from tests.harness.certificates import HOST, INTAKE, SCHOOL, made, today

NOW = today()
RENEWALS = 40


@pytest.fixture
def at(tmp_path: Path) -> Place:
    found = authority.place(tmp_path / "authority")
    authority.init(found, NOW)
    return found


@pytest.fixture
def intake(at: Place, tmp_path: Path) -> Path:
    return made(at, tmp_path / "intake", "service/intake", NOW, HOST, "127.0.0.1", "::1")


def refused(code: str, place: Path, data: bytes) -> None:
    """The folder refuses a file, and nothing in it has changed."""
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    with pytest.raises(Rejected) as error:
        identity.install(place, data, NOW)
    assert error.value.code == code
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_a_folder_holds_three_files_and_only_the_owner_reads_the_key(intake: Path) -> None:
    assert {path.name: path.stat().st_mode & 0o777 for path in intake.iterdir()} == {
        identity.IDENTITY: 0o600,
        identity.AUTHORITY: 0o644,
        identity.REVOKED: 0o644,
    }
    assert intake.stat().st_mode & 0o777 == 0o700
    found = identity.read(intake).leaf
    assert (found.name, found.hosts, found.issuer) == (INTAKE, (HOST, "127.0.0.1", "::1"), "services-1")
    assert found.not_after - NOW == periods.LEAF[Plane.SERVICES]
    assert bundle.parts((intake / identity.AUTHORITY).read_bytes())[0][0] == bundle.parts(identity.roots(intake))[0][0], "the root first"


def test_what_a_folder_has_already_is_not_written_again(at: Place, intake: Path) -> None:
    before = {path.name: path.stat().st_ino for path in intake.iterdir()}
    identity.install(intake, bundle.write(authority.refresh(at, NOW)), NOW)
    assert {path.name: path.stat().st_ino for path in intake.iterdir()} == before
    authority.relist(at, NOW)
    identity.install(intake, bundle.write(authority.trusted(at)), NOW)
    assert [path.name for path in intake.iterdir() if path.stat().st_ino != before[path.name]] == [identity.REVOKED]


def test_it_is_due_at_half_of_its_period_and_wherever_none_is(intake: Path, tmp_path: Path) -> None:
    half = periods.LEAF[Plane.SERVICES] / 2
    assert not identity.due(intake, NOW + half - periods.SKEW)
    assert identity.due(intake, NOW + half)
    assert identity.due(tmp_path / "nowhere", NOW)
    (intake / identity.IDENTITY).chmod(0o640)
    assert identity.due(intake, NOW), "it cannot be used"


def test_a_key_that_others_may_read_is_refused(intake: Path) -> None:
    (intake / identity.IDENTITY).chmod(0o604)
    with pytest.raises(Rejected, match="chmod 600"):
        identity.read(intake)


def test_a_renewal_takes_a_new_key_and_the_same_holder_and_hosts(at: Place, intake: Path) -> None:
    before, key = identity.read(intake).leaf, keys.read((intake / identity.IDENTITY).read_bytes())
    assert renewal.renew(at, intake, NOW) is None
    later = NOW + timedelta(days=4)
    after = renewal.renew(at, intake, later)
    assert after is not None and (after.name, after.hosts) == (before.name, before.hosts) and after.serial != before.serial
    assert not keys.same(key.public_key(), keys.read((intake / identity.IDENTITY).read_bytes()).public_key())
    assert not identity.due(intake, later)


def test_a_revoked_identity_is_not_renewed_by_a_program(at: Place, intake: Path) -> None:
    authority.revoke(at, "service/intake", ReasonFlags.key_compromise, NOW)
    with pytest.raises(Rejected, match="revoked"):
        renewal.renew(at, intake, NOW + timedelta(days=4))


def test_an_answer_for_another_key_holder_root_or_time_changes_nothing(at: Place, intake: Path, tmp_path: Path) -> None:
    answer = authority.sign(at, identity.request(intake), INTAKE, NOW)
    identity.request(intake)
    refused("another-key", intake, answer)
    school = made(at, tmp_path / "school", "agency/school-drita", NOW)
    refused("another-holder", school, authority.sign(at, identity.request(intake), INTAKE, NOW))
    stranger = authority.place(tmp_path / "stranger")
    authority.init(stranger, NOW)
    refused("another-root", intake, authority.sign(stranger, identity.request(intake), INTAKE, NOW))
    refused("another-root", intake, bundle.write(authority.trusted(stranger)))
    refused("not-now", intake, authority.sign(at, identity.request(intake), INTAKE, NOW - timedelta(days=8)))
    refused("not-now", intake, authority.sign(at, identity.request(intake), INTAKE, NOW + timedelta(days=8)))
    answer = authority.sign(at, identity.request(intake), INTAKE, NOW)
    authority.revoke(at, "service/intake", ReasonFlags.key_compromise, NOW)
    identity.install(intake, bundle.write(authority.trusted(at)), NOW)
    refused("revoked", intake, answer)


def test_an_older_list_or_an_ended_authority_never_comes_back(at: Place, intake: Path) -> None:
    old = bundle.write(authority.trusted(at))
    authority.revoke(at, "service/intake", ReasonFlags.key_compromise, NOW)
    authority.replace(at, Plane.AGENCIES, NOW)
    authority.end(at, "agencies-1", NOW)
    newest = bundle.write(authority.trusted(at))
    identity.install(intake, newest, NOW)
    assert identity.is_revoked(intake)
    identity.install(intake, old, NOW)
    assert identity.is_revoked(intake), "the newer list stayed"
    issuers = [leaf.common(one.subject) for one in bundle.parts((intake / identity.AUTHORITY).read_bytes())[0][1:]]
    assert issuers == ["services-1", "operators-1"], "what the root has revoked is not believed again"
    identity.install(intake, newest, NOW)
    assert "agencies-2" in [leaf.common(one.subject) for one in bundle.parts((intake / identity.AUTHORITY).read_bytes())[0]]


def test_a_file_without_a_list_of_each_authority_is_refused(at: Place, intake: Path) -> None:
    whole = authority.trusted(at)
    short = bundle.joined([*whole.authorities, *whole.lists[:-1]])
    with pytest.raises(Malformed, match="no list"):
        identity.install(intake.with_name("new"), short, NOW)


def test_what_the_trusted_root_has_not_signed_is_refused(at: Place, tmp_path: Path) -> None:
    """A stranger's authorities have the same names as ours, and other keys."""
    stranger = authority.place(tmp_path / "stranger")
    authority.init(stranger, NOW)
    ours, theirs = authority.trusted(at), authority.trusted(stranger)
    for authorities, lists in (
        (theirs.issuing, (ours.lists[0], *theirs.lists[1:])),
        (ours.issuing, (*ours.lists[:2], theirs.lists[2], ours.lists[3])),
    ):
        with pytest.raises(Unproven):
            bundle.read(bundle.joined([ours.root, *authorities, *lists]))


def test_a_file_that_says_something_else_is_malformed_and_nothing_else(at: Place, tmp_path: Path) -> None:
    good = authority.sign(at, identity.request(tmp_path / "place", INTAKE, [HOST]), INTAKE, NOW)

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(good) - 1), st.binary(min_size=0, max_size=3), st.integers(0, 40))
    def changed(place: int, more: bytes, less: int) -> None:
        data = good[:place] + more + good[place + less :]
        try:
            bundle.read(data)
        except Malformed:
            return

    changed()
    for data in (b"", b"\0" * 40, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", keys.pem(keys.make()), good + good):
        with pytest.raises(Malformed):
            bundle.read(data)


def test_whoever_loads_while_it_is_renewed_gets_one_identity_at_the_second_try(at: Place, intake: Path) -> None:
    """`load_cert_chain` opens the file twice; the docstring of `identity.read` promises that once more is enough."""
    child = os.fork()
    if not child:
        code = 1
        try:
            for _ in range(RENEWALS):
                renewal.renew(at, intake, NOW, always=True)
            code = 0
        finally:
            os._exit(code)
    loads = 0
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(intake / identity.IDENTITY)
        except ssl.SSLError as error:
            assert "KEY_VALUES_MISMATCH" in str(error)
            context.load_cert_chain(intake / identity.IDENTITY)
        identity.read(intake)
        loads += 1
    assert loads


@given(st.text(max_size=70))
def test_a_name_is_what_it_is_written_as(text: str) -> None:
    try:
        name = names.parse(text)
    except Rejected:
        return
    assert str(name) == text.removeprefix("referral://") and names.parse(name.uri) == name


@pytest.mark.parametrize(
    "text",
    (
        *("intake", "service/", "service/Intake", "service/in take", "services/intake", "service/a.b", "service/a/b"),
        *("service/" + "a" * 64, "service/-a", "service/a--b", "service/intake\n", "http://service/intake", "referral:service/intake"),
    ),
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(Rejected):
        names.parse(text)


@pytest.mark.parametrize("host", ("", "a b", "https://a", "a/b", "a:80", "*.example.org", "a@b", "schön.example"))
def test_a_host_is_a_name_or_an_address(host: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        identity.request(tmp_path / "place", INTAKE, [host])


def test_replace_leaves_no_trace_of_a_crash(tmp_path: Path) -> None:
    (tmp_path / "file.new").write_bytes(b"what a crash left, and longer")
    files.replace(tmp_path / "file", b"new", files.SECRET)
    assert [(path.name, path.read_bytes(), path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("file", b"new", 0o600)]


def test_school_and_service_are_of_two_planes() -> None:
    assert (SCHOOL.plane, SCHOOL.uri) == (Plane.AGENCIES, "referral://agency/school-drita")
    assert (INTAKE.plane, INTAKE.uri) == (Plane.SERVICES, "referral://service/intake")
