"""The folder of an authority: what it signs and refuses, its lists, its register, and the nine commands."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags

from referral.ca import authority, bundle, identity, keys, leaf, names, periods, register, requests
from referral.ca.authority import Place
from referral.ca.names import Plane
from referral.cli import run
from referral.errors import Malformed, Rejected
from tests.harness.certificates import HOST, INTAKE, SCHOOL, made, today

NOW = today()
DAY = timedelta(days=1)


@pytest.fixture
def at(tmp_path: Path) -> Place:
    found = authority.place(tmp_path / "authority")
    authority.init(found, NOW)
    return found


def request(name: names.Name = SCHOOL, *hosts: str) -> bytes:
    return requests.make(keys.make(), name, hosts)


def test_only_owners_read_keys_and_a_second_root_is_refused(at: Place) -> None:
    modes = {path.name: path.stat().st_mode & 0o077 for path in at.folder.rglob("key.pem")}
    assert modes == {"key.pem": 0} and at.folder.stat().st_mode & 0o077 == 0
    with pytest.raises(Rejected, match="exists"):
        authority.init(at, NOW)


def test_the_root_signs_three_planes_and_nothing_else_needs_its_key(at: Place, tmp_path: Path) -> None:
    away = tmp_path / "safe.pem"
    at.root_key.rename(away)
    assert [leaf.common(one.subject) for one in authority.trusted(at).issuing] == ["services-1", "agencies-1", "operators-1"]
    authority.sign(at, request(), SCHOOL, NOW)
    authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, NOW)
    authority.relist(at, NOW)
    with pytest.raises(Rejected, match="no-key"):
        authority.replace(at, Plane.AGENCIES, NOW)
    with_root = authority.place(at.folder, away)
    authority.replace(with_root, Plane.AGENCIES, NOW)
    authority.end(with_root, "agencies-1", NOW)
    assert not (at.folder / "agencies-1" / "key.pem").exists(), "nobody signs by it any more"
    with pytest.raises(Rejected, match="last-authority"):
        authority.end(with_root, "services-1", NOW)


def test_a_request_is_signed_for_the_holder_whom_the_operator_names(at: Place) -> None:
    signed = bundle.read(authority.sign(at, request(INTAKE, HOST), INTAKE, NOW)).leaf
    assert signed is not None and signed.subject.rfc4514_string() == "CN=intake,O=services"
    with pytest.raises(Rejected, match="another-holder"):
        authority.sign(at, request(INTAKE, HOST), SCHOOL, NOW)
    with pytest.raises(Rejected, match="hosts"):
        authority.sign(at, request(SCHOOL, HOST), SCHOOL, NOW)


def theirs(key: object, *entries: x509.GeneralName) -> bytes:
    """A request as another program makes it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(requests.subject(names.parse("operator/somebody")))
    if entries:
        builder = builder.add_extension(x509.SubjectAlternativeName(entries), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)  # type: ignore[arg-type]


def test_the_subject_of_a_request_is_not_believed(at: Place) -> None:
    signed = bundle.read(authority.sign(at, theirs(keys.make()), SCHOOL, NOW)).leaf
    assert signed is not None and signed.subject.rfc4514_string() == "CN=school-drita,O=agencies"
    assert leaf.of(signed).name == SCHOOL


@pytest.mark.parametrize(
    "data",
    (
        b"",
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        theirs(rsa.generate_private_key(65537, 2048)),
        theirs(ec.generate_private_key(ec.SECP384R1())),
        theirs(keys.make(), x509.RFC822Name("a@example.org")),
        theirs(keys.make(), x509.UniformResourceIdentifier("https://example.org")),
        theirs(keys.make(), *(x509.UniformResourceIdentifier(one.uri) for one in (SCHOOL, INTAKE))),
        request().replace(b"\nM", b"\nA", 1),
    ),
    ids=("empty", "no-request", "rsa", "p-384", "mail", "uri", "two-holders", "changed"),
)
def test_other_requests_are_malformed(at: Place, data: bytes) -> None:
    with pytest.raises(Malformed):
        authority.sign(at, data, SCHOOL, NOW)


def test_a_request_that_another_key_signed_is_malformed() -> None:
    ours = x509.load_pem_x509_csr(request()).public_bytes(Encoding.DER)
    forged = x509.load_der_x509_csr(ours[:-1] + bytes([ours[-1] ^ 1]))
    with pytest.raises(Malformed):
        requests.read(forged.public_bytes(Encoding.PEM))


def test_every_certificate_is_stored_before_it_is_handed_out(at: Place) -> None:
    handed = bundle.read(authority.sign(at, request(), SCHOOL, NOW)).leaf
    assert handed is not None
    assert [one.serial for one in authority.issued(at.folder / "agencies-1")] == [handed.serial_number]


def test_revoking_takes_every_certificate_of_a_holder_or_one_by_its_number(at: Place) -> None:
    for _ in range(3):
        authority.sign(at, request(), SCHOOL, NOW)
    first, *others = authority.issued(at.folder / "agencies-1")
    with pytest.raises(Rejected):
        authority.revoke(at, first.number[:8], ReasonFlags.superseded, NOW)
    assert authority.revoke(at, first.number[:12].upper(), ReasonFlags.superseded, NOW) == [first]
    assert authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, NOW) == others
    found = authority.revocations(at.folder / "agencies-1")
    assert len(list(found)) == 3
    with pytest.raises(Rejected, match="unknown-certificate"):
        authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, NOW)


def test_several_operators_at_once_lose_no_revocation(at: Place) -> None:
    """Each list holds what all earlier ones held: commands on one folder wait for one another."""
    many = [names.parse(f"agency/school-{number}") for number in range(8)]
    for name in many:
        authority.sign(at, request(name), name, NOW)
    children = []
    for name in many:
        child = os.fork()
        if not child:
            code = 1
            try:
                authority.revoke(at, str(name), ReasonFlags.key_compromise, NOW)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * len(many)
    found = authority.revocations(at.folder / "agencies-1")
    assert (len(list(found)), bundle.count(found)) == (8, 9)


def test_lists_are_signed_anew_when_half_of_them_is_over(at: Place) -> None:
    def numbers() -> list[int]:
        return [bundle.count(one) for one in authority.trusted(at).lists]

    authority.refresh(at, NOW + periods.LIST / 2 - DAY)
    assert numbers() == [1, 1, 1, 1]
    authority.refresh(at, NOW + periods.LIST / 2)
    assert numbers() == [1, 2, 2, 2]
    authority.relist(at, NOW)
    assert numbers() == [2, 3, 3, 3]


def test_an_authority_that_would_end_before_its_certificate_signs_none(at: Place) -> None:
    late = NOW + periods.ISSUING - periods.LEAF[Plane.AGENCIES] + DAY
    with pytest.raises(Rejected, match="referral ca replace CA agencies"):
        authority.sign(at, request(), SCHOOL, late)
    authority.sign(at, request(INTAKE, HOST), INTAKE, late)


def states(at: Place, now: object, *, every: bool = False) -> dict[str, str]:
    return {f"{row.kind} {row.name}": row.state for row in register.rows(at, now, every=every)}  # type: ignore[arg-type]


def test_the_register_warns_in_time(at: Place, tmp_path: Path) -> None:
    made(at, tmp_path / "intake", "service/intake", NOW, HOST)
    made(at, tmp_path / "school", "agency/school-drita", NOW)
    assert set(states(at, NOW).values()) == {"good"}
    assert states(at, NOW + 5 * DAY)["certificate service/intake"] == "good"
    assert states(at, NOW + 5.1 * DAY)["certificate service/intake"] == "ends soon"
    assert states(at, NOW + 8 * DAY)["certificate service/intake"] == "ended"
    assert "certificate service/intake" not in states(at, NOW + 40 * DAY), "retired"
    assert states(at, NOW + 40 * DAY, every=True)["certificate service/intake"] == "retired"
    assert states(at, NOW + 59 * DAY)["list agencies-1"] == "good"
    assert states(at, NOW + 61 * DAY)["list agencies-1"] == "ends soon"
    assert states(at, NOW + 91 * DAY)["list agencies-1"] == "ended"
    assert states(at, NOW + 336 * DAY)["certificate agency/school-drita"] == "ends soon"
    assert states(at, NOW + 371 * DAY)["list root"] == "ends soon"
    assert states(at, NOW + periods.ISSUING - 390 * DAY)["authority agencies-1"] == "ends soon"
    assert states(at, NOW + periods.ISSUING - 390 * DAY)["authority services-1"] == "good"
    authority.replace(at, Plane.SERVICES, NOW)
    assert states(at, NOW)["authority services-1"] == "replaced"
    authority.revoke(at, "agency/school-drita", ReasonFlags.key_compromise, NOW)
    assert states(at, NOW)["certificate agency/school-drita"] == "revoked"


def test_the_time_that_is_left_is_told_in_two_units() -> None:
    for delta, text in ((6.5 * DAY, "6 d 12 h"), (timedelta(hours=5, minutes=3), "5 h 3 min"), (-DAY, "0")):
        assert register.left(NOW + delta, NOW) == text


def said(capfdbinary: pytest.CaptureFixture[bytes], *words: str, code: int = 0) -> bytes:
    """Run one command, and return what it printed."""
    got = run(["ca", *words])
    out, err = capfdbinary.readouterr()
    assert got == code, err
    assert b"Traceback" not in err
    assert code == 0 or err.count(b"\n") == 1 or (got == 1 and words[0] == "list")
    return out


def test_an_authority_is_kept_by_nine_commands(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    ca, safe, intake, school = (str(tmp_path / name) for name in ("ca", "safe.pem", "intake", "school"))
    answer, lists = str(tmp_path / "answer.pem"), str(tmp_path / "lists.pem")
    root = said(capfdbinary, "init", ca, "--root-key", safe).splitlines()[0]
    said(capfdbinary, "init", ca, code=1)
    (tmp_path / "request").write_bytes(said(capfdbinary, "request", intake, "service/intake", "--host", HOST))
    said(capfdbinary, "sign", ca, "service/intake", str(tmp_path / "request"), "--out", answer)
    assert root in said(capfdbinary, "install", intake, answer)
    assert b"not due" in said(capfdbinary, "renew", ca, intake)
    assert b"service/intake good until" in said(capfdbinary, "renew", ca, intake, "--always")
    (tmp_path / "request").write_bytes(said(capfdbinary, "request", school, "agency/school-drita"))
    (tmp_path / "answer.pem").write_bytes(said(capfdbinary, "sign", ca, "agency/school-drita", str(tmp_path / "request")))
    assert json.loads(said(capfdbinary, "install", school, answer, "--json"))["name"] == "agency/school-drita"
    said(capfdbinary, "replace", ca, "services", code=1)
    said(capfdbinary, "replace", ca, "nobody", "--root-key", safe, code=1)
    said(capfdbinary, "replace", ca, "services", "--root-key", safe)
    said(capfdbinary, "renew", ca, intake, "--always")
    said(capfdbinary, "replace", ca, "services-1", "--end", "--root-key", safe)
    assert b"revoked: agency/school-drita" in said(capfdbinary, "revoke", ca, "agency/school-drita", "--reason", "stolen")
    said(capfdbinary, "revoke", ca, "agency/school-drita", code=1)
    said(capfdbinary, "crl", ca, "--root-key", safe, "--out", lists)
    assert b"lists good until" in said(capfdbinary, "install", intake, lists)
    assert identity.read(Path(intake)).leaf.issuer == "services-2"
    rows = {(row["kind"], row["name"]): row["state"] for row in json.loads(said(capfdbinary, "list", ca, "--json"))}
    assert rows["certificate", "agency/school-drita"] == "revoked" and ("authority", "services-1") not in rows
    assert b"service/intake" in said(capfdbinary, "list", ca)


def test_the_commands_refuse_in_one_line(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    ca, nowhere, text = str(tmp_path / "ca"), str(tmp_path / "nowhere"), str(tmp_path / "text")
    Path(text).write_text("no PEM")
    said(capfdbinary, "init", ca)
    said(capfdbinary, "list", nowhere, code=1)
    said(capfdbinary, "sign", ca, "service/intake", nowhere, code=2)
    said(capfdbinary, "sign", ca, "service/intake", text, code=1)
    said(capfdbinary, "sign", ca, "intake", text, code=1)
    said(capfdbinary, "install", nowhere, text, code=1)
    said(capfdbinary, "request", nowhere, code=1)
    said(capfdbinary, "renew", ca, nowhere, code=1)
    said(capfdbinary, "crl", nowhere, code=1)
    said(capfdbinary, "revoke", ca, "zz", code=1)
    said(capfdbinary, "revoke", ca, "service/intake", "--reason", "boredom", code=2)


def test_openssl_makes_a_request_as_the_page_says(tmp_path: Path, at: Place) -> None:
    """docs/operators.md gives this line to agencies that have no program of ours."""
    command = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=school-drita -out request.pem"
    page = (Path(__file__).parents[3] / "docs" / "operators.md").read_text("utf-8")
    assert command in page
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    signed = bundle.read(authority.sign(at, (tmp_path / "request.pem").read_bytes(), SCHOOL, NOW)).leaf
    assert signed is not None and leaf.of(signed).name == SCHOOL


def test_certificates_say_where_the_list_of_their_authority_is(tmp_path: Path) -> None:
    at = authority.place(tmp_path / "ca")
    authority.init(at, NOW, "file:///srv/authority")
    key = keys.make()
    made = bundle.read(authority.sign(at, requests.make(key, SCHOOL, ()), SCHOOL, NOW)).leaf
    assert made is not None
    points = made.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [name.value for point in points for name in point.full_name or ()] == ["file:///srv/authority/agencies-1/list.pem"]


def test_of_two_lists_of_one_second_the_newer_begins_later(at: Place) -> None:
    """OpenSSL compares the begins of two lists, in seconds, and keeps the first of two alike: a revocation would have no effect."""
    folder = at.folder / "agencies-1"
    begins = [authority.revocations(folder).last_update_utc]
    for _ in range(3):
        authority.relist(at, NOW)
        begins.append(authority.revocations(folder).last_update_utc)
    assert begins == sorted(set(begins))
