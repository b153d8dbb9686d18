"""Certificates of every kind that a program may be shown, made by a true authority and by forgers, and what TLS must say to each."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate, ReasonFlags
from cryptography.x509.oid import ExtendedKeyUsageOID

from referral.ca import authority, bundle, identity, issue, keys, leaf, names, periods, renewal, requests
from referral.ca.authority import Place
from referral.ca.issue import Signer
from referral.ca.names import Plane
from referral.errors import Malformed

HOST = "localhost"
INTAKE, AUDIT, SCHOOL = names.parse("service/intake"), names.parse("service/audit"), names.parse("agency/school-drita")


PURPOSE, HOSTNAME = "unsuitable certificate purpose", "Hostname mismatch"
SUBTREE, UNKNOWN = "permitted subtree violation", "unable to get local issuer certificate"
BELIEVED = ""


@dataclass(frozen=True)
class Case:
    """A certificate in both roles, and the words with which OpenSSL must refuse it there; BELIEVED if it must not.

    named: True if it names the holder that it is shown as; TLS cannot know that, so whoever speaks to the peer must look.
    go, java: (believed as a server, believed as a client) where that program differs.
    """

    name: str
    as_server: str
    as_client: str
    named: bool = True
    go: tuple[bool, bool] | None = None
    java: tuple[bool, bool] | None = None

    @property
    def believed(self) -> tuple[bool, bool]:
        """Return whether it is believed as a server, and as a client."""
        return self.as_server == BELIEVED, self.as_client == BELIEVED


CASES = (
    Case("service", BELIEVED, BELIEVED),
    Case("service-renewed", BELIEVED, BELIEVED),
    Case("service-of-the-replaced-authority", BELIEVED, BELIEVED),
    Case("agency", PURPOSE, BELIEVED, named=False),
    Case("operator", PURPOSE, BELIEVED, named=False),
    Case("expired", "certificate has expired", "certificate has expired"),
    Case("not-yet", "certificate is not yet valid", "certificate is not yet valid"),
    Case("revoked", "certificate revoked", "certificate revoked"),
    Case("of-an-ended-authority", "certificate revoked", "certificate revoked"),
    Case("of-another-root", UNKNOWN, UNKNOWN),
    Case("self-signed", "self-signed certificate", "self-signed certificate"),
    Case("signed-by-a-holder", "invalid CA certificate", "invalid CA certificate"),
    Case("of-an-authority-that-an-issuing-one-made", "path length constraint exceeded", "path length constraint exceeded"),
    Case("agencies-authority-names-a-service", PURPOSE, SUBTREE),
    # Go passes over a constraint on subjects, and would refuse everybody were it critical; it obeys the one on URIs.
    Case("agencies-authority-writes-a-services-subject", PURPOSE, SUBTREE, go=(False, True)),
    Case("agencies-authority-writes-a-services-uri", PURPOSE, SUBTREE),
    Case("agencies-authority-writes-a-host", PURPOSE, SUBTREE),
    Case("agencies-authority-writes-an-address", PURPOSE, SUBTREE),
    Case("operators-authority-names-an-agency", PURPOSE, SUBTREE),
    Case("client-as-server", PURPOSE, BELIEVED),
    Case("another-service", HOSTNAME, BELIEVED, named=False),
    Case("no-alternative-name", HOSTNAME, BELIEVED, named=False),
    # Go and Java still believe in 1024 bits; no command of ours signs an RSA key (test_authority).
    Case("rsa-1024", "EE certificate key too weak", "EE certificate key too weak", go=(True, True), java=(True, True)),
)


@dataclass(frozen=True)
class Scene:
    """folder: holds `authority.pem`, `revoked.pem`, `root.pem`, and `NAME/identity.pem` for each case. good: the peer's identity."""

    folder: Path
    good: Path


def scene(folder: Path, now: datetime) -> Scene:
    """Make an authority, and every case beside it."""
    at, stranger = authority.place(folder / "authority"), authority.place(folder / "stranger")
    for one in (at, stranger):
        authority.init(one, now, f"file://{one.folder}")
    made(at, folder / "of-an-ended-authority", "service/intake", now, HOST)
    ended = authority.certificate(at.folder / "services-1")
    authority.replace(at, Plane.SERVICES, now)
    authority.end(at, "services-1", now)
    made(at, folder / "service-of-the-replaced-authority", "service/intake", now, HOST)
    authority.replace(at, Plane.SERVICES, now)
    good = made(at, folder / "good", "service/audit", now, HOST)
    made(at, folder / "service", "service/intake", now, HOST, "127.0.0.1")
    made(at, folder / "service-renewed", "service/intake", now, HOST)
    renewal.renew(at, folder / "service-renewed", now, always=True)
    made(at, folder / "agency", "agency/school-drita", now)
    made(at, folder / "operator", "operator/besa", now)
    made(stranger, folder / "of-another-root", "service/intake", now, HOST)
    made(at, folder / "another-service", "service/other", now, "other.example.org")
    made(at, folder / "revoked", "service/revoked", now, HOST)
    authority.revoke(at, "service/revoked", ReasonFlags.key_compromise, now)
    _forged(at, folder, now)
    whole = authority.trusted(at)
    # Whoever shows the ended authority's certificate has to be refused for its revocation, not for an unknown list.
    of_ended = bundle.newest([authority.revocations(at.folder / "services-1")], [ended])
    (folder / "authority.pem").write_bytes(bundle.joined(whole.authorities))
    (folder / "revoked.pem").write_bytes(bundle.joined([*whole.lists, *of_ended]))
    (folder / "root.pem").write_bytes(bundle.joined([whole.root]))
    return Scene(folder, good)


def made(at: Place, place: Path, name: str, now: datetime, *hosts: str) -> Path:
    """Make a true identity in a folder."""
    renewal.create(at, place, identity.request(place, names.parse(name), hosts), now)
    return place


def _forged(at: Place, folder: Path, now: datetime) -> None:
    """Write what no command of ours signs, by the keys of the authorities."""
    services, agencies, operators = (authority.signer(authority.in_force(at, plane)[-1]) for plane in Plane)
    week, intake, school = timedelta(days=7), requests.subject(INTAKE), requests.subject(SCHOOL)
    uri, host = leaf.joined(INTAKE, [HOST]), leaf.joined(SCHOOL, [HOST])
    past, future = now - 2 * periods.LEAF[Plane.SERVICES], now + week

    def put(name: str, by: Signer | None, subject: x509.Name, alternative: x509.SubjectAlternativeName | None, **more: object) -> None:
        _write(folder / name, by, subject, alternative, now=now, **more)  # type: ignore[arg-type]

    _write(folder / "expired", services, intake, uri, now=past)
    _write(folder / "not-yet", services, intake, uri, now=future)
    put("self-signed", None, intake, uri)
    holder = Signer(_certificate(folder / "service"), keys.read((folder / "service" / identity.IDENTITY).read_bytes()))
    put("signed-by-a-holder", holder, requests.subject(AUDIT), leaf.joined(AUDIT, [HOST]), chain=[services.certificate])
    key = keys.make()
    below = Signer(issue.issuing(services, key.public_key(), Plane.SERVICES, "services-9", 9, now), key)
    put("of-an-authority-that-an-issuing-one-made", below, intake, uri, chain=[services.certificate])
    put("agencies-authority-names-a-service", agencies, intake, uri)
    put("agencies-authority-writes-a-services-subject", agencies, intake, leaf.joined(SCHOOL, []))
    put("agencies-authority-writes-a-services-uri", agencies, school, leaf.joined(INTAKE, []))
    put("agencies-authority-writes-a-host", agencies, school, host)
    put("agencies-authority-writes-an-address", agencies, school, leaf.joined(SCHOOL, ["127.0.0.1"]))
    put("operators-authority-names-an-agency", operators, school, leaf.joined(SCHOOL, []))
    put("client-as-server", services, intake, uri, server=False)
    put("no-alternative-name", services, intake, None)
    put("rsa-1024", services, intake, uri, key=rsa.generate_private_key(65537, 1024))


def _write(
    place: Path,
    by: Signer | None,
    subject: x509.Name,
    alternative: x509.SubjectAlternativeName | None,
    *,
    now: datetime,
    server: bool = True,
    key: EllipticCurvePrivateKey | RSAPrivateKey | None = None,
    chain: Iterable[Certificate] = (),
) -> None:
    """Write an identity by hand. by: None for one that signs itself."""
    own = key or keys.make()
    builder = x509.CertificateBuilder().subject_name(subject).public_key(own.public_key()).serial_number(x509.random_serial_number())
    builder = builder.issuer_name(by.certificate.subject if by else subject)
    builder = builder.not_valid_before(now - periods.SKEW).not_valid_after(now + periods.LEAF[Plane.SERVICES])
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH] if server else [ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if alternative is not None:
        builder = builder.add_extension(alternative, critical=False)
    if by is not None:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
        where = f"file://{place.parent}/authority/{leaf.common(by.certificate.subject)}/{authority.LIST}"
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(where)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    signed = builder.sign(by.key if by else own, SHA256())
    place.mkdir()
    private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    authorities = [by.certificate, *chain] if by else []
    (place / identity.IDENTITY).write_bytes(private + bundle.joined([signed, *authorities]))


def _certificate(place: Path) -> Certificate:
    """Return the certificate of an identity."""
    return x509.load_pem_x509_certificate((place / identity.IDENTITY).read_bytes().partition(b"-----END PRIVATE KEY-----")[2])


def context(trust: Path, own: Path, *, server: bool) -> ssl.SSLContext:
    """Return a TLS 1.3 context that shows an identity, and believes what `trust` has. It is as strict as OpenSSL can be."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN | ssl.VERIFY_X509_STRICT
    for name in (identity.AUTHORITY, identity.REVOKED):
        made.load_verify_locations(trust / name)
    made.load_cert_chain(own / identity.IDENTITY)
    return made


def careless(own: Path, *, server: bool) -> ssl.SSLContext:
    """Return the context of an attacker, who shows anything and believes everybody."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    made.load_cert_chain(own / identity.IDENTITY)
    return made


def shake(server: ssl.SSLContext, client: ssl.SSLContext, host: str = HOST) -> dict[str, bytes | str]:
    """Shake hands in memory. Return for each role the other's certificate (DER), or the words with which it refused the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = {
        "server": server.wrap_bio(to_server, to_client, server_side=True),
        "client": client.wrap_bio(to_client, to_server, server_hostname=host),
    }
    waiting, found = dict(sides), dict[str, bytes | str]()
    for _ in range(10):
        for role, side in list(waiting.items()):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                found[role] = getattr(error, "verify_message", "") or str(error)
            else:
                found[role] = side.getpeercert(binary_form=True) or b""
            del waiting[role]
    return found


def verdict(trust: Path, good: Path, place: Path) -> tuple[bytes | str, bytes | str]:
    """Return what Python's TLS says to an identity as a server, and as a client: its certificate (DER), or why it is refused."""
    as_server = shake(careless(place, server=True), context(trust, good, server=False))
    as_client = shake(context(trust, good, server=True), careless(place, server=False))
    return as_server["client"], as_client["server"]


def names_intake(certificate: bytes) -> bool:
    """Return True if a certificate that TLS believed names service/intake."""
    with suppress(Malformed):
        return leaf.read(certificate).name == INTAKE
    return False


def today() -> datetime:
    """Return the time of this machine, which TLS asks too."""
    return datetime.now(UTC).replace(microsecond=0)
