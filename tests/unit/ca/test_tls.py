"""What TLS says to each kind of certificate, in both roles: Python's, by real handshakes of TLS 1.3."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509 import ReasonFlags

from referral.ca import authority, bundle, identity, issue, periods, renewal
from referral.ca.authority import Place
from referral.ca.names import Plane
from tests.harness.certificates import BELIEVED, CASES, HOST, Case, Scene, context, made, names_intake, scene, shake, today, verdict


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(tmp_path_factory.mktemp("certificates"), today())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_certificate_is_judged_in_both_roles(world: Scene, case: Case) -> None:
    for found, words in zip(verdict(world.folder, world.good, world.folder / case.name), (case.as_server, case.as_client), strict=True):
        if words == BELIEVED:
            assert isinstance(found, bytes), found
            assert names_intake(found) == case.named
        else:
            assert isinstance(found, str) and words in found


def test_the_cases_are_many_and_their_folders_are_all_judged(world: Scene) -> None:
    folders = {path.parent.name for path in world.folder.glob("*/identity.pem")} - {"good"}
    assert folders == {case.name for case in CASES} and len(CASES) >= 12


@pytest.fixture
def two(tmp_path: Path) -> tuple[Place, Path, Path]:
    """An authority, intake and a school."""
    at = authority.place(tmp_path / "authority")
    authority.init(at, today())
    return at, made(at, tmp_path / "intake", "service/intake", today(), HOST), made(at, tmp_path / "school", "agency/school-drita", today())


def refused(intake: Path, school: Path) -> bytes | str:
    """What intake says to the school: its certificate, or why not."""
    return shake(context(intake, intake, server=True), context(school, school, server=False))["server"]


def test_a_revoked_agency_is_refused_once_the_new_list_is_in_the_folder(two: tuple[Place, Path, Path]) -> None:
    at, intake, school = two
    authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, today())
    assert isinstance(refused(intake, school), bytes), "nobody has brought the list yet"
    identity.install(intake, bundle.write(authority.trusted(at)), today())
    assert refused(intake, school) == "certificate revoked"


def test_while_an_authority_is_replaced_old_and_new_believe_one_another(two: tuple[Place, Path, Path]) -> None:
    at, intake, school = two
    authority.replace(at, Plane.AGENCIES, today())
    assert isinstance(refused(intake, school), bytes), "nobody has the new authority"
    renewal.renew(at, school, today(), always=True)
    assert refused(intake, school) == "unable to get certificate CRL", "install the new authorities before what they sign"
    renewal.renew(at, intake, today())
    assert isinstance(refused(intake, school), bytes), "everybody has it"
    authority.end(at, "agencies-1", today())
    renewal.renew(at, intake, today())
    assert isinstance(refused(intake, school), bytes), "only what the old one signed has ended with it"


def test_nobody_is_believed_after_a_list_has_ended(two: tuple[Place, Path, Path]) -> None:
    at, intake, school = two
    by = authority.signer(at.folder / "agencies-1")
    past: datetime = today() - timedelta(days=100)
    ended = issue.revocations(by, (), 9, past, periods.LIST)
    whole = authority.trusted(at)
    lists = bundle.newest([*whole.lists, ended], whole.authorities)
    (intake / identity.REVOKED).write_bytes(bundle.joined(lists))
    assert refused(intake, school) == "CRL has expired"


def test_plain_defaults_of_python_believe_the_same(world: Scene) -> None:
    """An agency's developer sets nothing but the file of authorities."""
    theirs = ssl.create_default_context(cafile=str(world.folder / "authority.pem"))
    theirs.load_cert_chain(world.folder / "agency" / "identity.pem")
    found = shake(context(world.folder, world.good, server=True), theirs)
    assert isinstance(found["server"], bytes) and isinstance(found["client"], bytes)
