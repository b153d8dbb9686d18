"""A SIGKILL before any change of a file leaves the old or the new identity, and an authority that goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.x509 import ReasonFlags

from referral.ca import authority, bundle, identity, keys, names, renewal, requests
from referral.ca.authority import Place
from referral.ca.names import Plane
from tests.harness.certificates import HOST, INTAKE, context, made, shake, today
from tests.harness.struck import strikes

NOW = today()


@pytest.fixture
def at(tmp_path: Path) -> Place:
    found = authority.place(tmp_path / "authority")
    authority.init(found, NOW)
    return found


def works(intake: Path, peer: Path) -> None:
    """Intake and a peer believe one another, by real handshakes in both directions."""
    for server, client in ((intake, peer), (peer, intake)):
        found = shake(context(server, server, server=True), context(client, client, server=False))
        assert all(isinstance(one, bytes) for one in found.values()), found


@pytest.mark.parametrize("step", ("install", "renew"))
def test_a_folder_holds_the_old_or_the_new_identity_and_works(at: Place, tmp_path: Path, step: str) -> None:
    intake, peer = made(at, tmp_path / "intake", "service/intake", NOW, HOST), made(at, tmp_path / "audit", "service/audit", NOW, HOST)
    before = identity.read(intake).leaf.serial
    answer = authority.sign(at, identity.request(intake), INTAKE, NOW)
    kept = (intake / identity.REQUEST_KEY).read_bytes()
    seen = set[int]()

    def work() -> None:
        if step == "renew":
            renewal.renew(at, intake, NOW, always=True)
        else:
            identity.install(intake, answer, NOW)

    def after(_: int) -> None:
        seen.add(identity.read(intake).leaf.serial)
        works(intake, peer)

    assert strikes(work, after) >= 6
    assert before in seen and len(seen) >= 2
    assert not list(intake.glob(f"{identity.REQUEST_KEY}*")) or (intake / identity.REQUEST_KEY).read_bytes() == kept
    identity.install(intake, bundle.write(authority.refresh(at, NOW)), NOW)
    works(intake, peer)


def test_a_request_that_is_killed_leaves_the_identity_in_use(at: Place, tmp_path: Path) -> None:
    intake = made(at, tmp_path / "intake", "service/intake", NOW, HOST)
    before = (intake / identity.IDENTITY).read_bytes()

    def after(_: int) -> None:
        assert (intake / identity.IDENTITY).read_bytes() == before

    assert strikes(lambda: identity.request(intake), after) >= 4
    answer = authority.sign(at, (intake / identity.REQUEST).read_bytes(), INTAKE, NOW)
    assert identity.install(intake, answer, NOW) is not None, "the key of the request is there"


def whole(at: Place) -> bundle.Bundle:
    """What an authority hands out, read and verified as every program does."""
    found = bundle.read(bundle.write(authority.trusted(at)))
    bundle.newest(found.lists, found.authorities)
    return found


STEPS: dict[str, Callable[[Place], object]] = {
    "sign": lambda at: authority.sign(at, requests.make(keys.make(), INTAKE, [HOST]), INTAKE, NOW),
    "relist": lambda at: authority.relist(at, NOW),
    "replace": lambda at: authority.replace(at, Plane.SERVICES, NOW),
}


@pytest.mark.parametrize("step", STEPS)
def test_an_authority_goes_on_after_a_kill_at_any_change(at: Place, step: str) -> None:
    numbers = {"root": 0}

    def after(_: int) -> None:
        for one, by in zip(whole(at).lists, whole(at).authorities, strict=True):
            name = by.subject.rfc4514_string()
            assert bundle.count(one) >= numbers.get(name, 0), "a list never goes back"
            numbers[name] = bundle.count(one)

    assert strikes(lambda: STEPS[step](at), after) >= 2
    assert authority.sign(at, requests.make(keys.make(), INTAKE, [HOST]), INTAKE, NOW)


def test_what_was_revoked_stays_revoked_whenever_the_command_was_killed(at: Place) -> None:
    name = names.parse("agency/school-drita")
    authority.sign(at, requests.make(keys.make(), name, []), name, NOW)
    folder = at.folder / "agencies-1"
    serial = authority.issued(folder)[0].serial
    done = []

    def work() -> None:
        if authority.revocations(folder).get_revoked_certificate_by_serial_number(serial) is None:
            authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, NOW)

    def after(_: int) -> None:
        whole(at)
        done.append(authority.revocations(folder).get_revoked_certificate_by_serial_number(serial) is not None)

    assert strikes(work, after) >= 2
    assert done == sorted(done) and done[-1]


def test_an_issuing_authority_is_in_force_or_has_ended(at: Place) -> None:
    authority.replace(at, Plane.SERVICES, NOW)

    def work() -> None:
        if len(authority.in_force(at, Plane.SERVICES)) == 2:
            authority.end(at, "services-1", NOW)

    assert strikes(work, lambda _: whole(at)) >= 2
    assert [one.name for one in authority.in_force(at, Plane.SERVICES)] == ["services-2"]


def test_an_authority_begins_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    at = authority.place(tmp_path / "authority")

    def work() -> None:
        if not at.folder.exists():
            authority.init(at, NOW)

    def after(_: int) -> None:
        if at.folder.exists():
            whole(at)
            assert authority.signer(at.folder / authority.ROOT, at.root_key)

    assert strikes(work, after) >= 20
    whole(at)
