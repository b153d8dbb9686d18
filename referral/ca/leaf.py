"""Read the certificate of a service, an agency or an operator: whose it is, where it may be a server, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509 import DNSName, GeneralName, IPAddress, UniformResourceIdentifier
from cryptography.x509.oid import NameOID

from referral.ca import names
from referral.ca.names import Name, Plane
from referral.errors import Malformed, Rejected

PEM = b"-----BEGIN"
NOBODY = ".invalid"


@dataclass(frozen=True, slots=True)
class Leaf:
    """The facts of one certificate.

    hosts: names and addresses at which its holder may be a server; empty for agencies and operators.
    issuer: name of the issuing authority, for instance agencies-1.
    """

    name: Name
    hosts: tuple[str, ...]
    serial: int
    not_before: datetime
    not_after: datetime
    issuer: str

    @property
    def number(self) -> str:
        """Return the serial number as other programs display it: hexadecimal."""
        return number(self.serial)

    def is_due(self, now: datetime) -> bool:
        """Return True if half of its period is over: it is to be renewed."""
        return now >= self.not_before + (self.not_after - self.not_before) / 2


def number(serial: int) -> str:
    """Return a serial number as hexadecimal digits, an even number of them, as openssl displays it."""
    digits = f"{serial:x}"
    return digits.zfill(len(digits) + len(digits) % 2)


def read(data: bytes) -> Leaf:
    """Read a certificate from PEM or DER, for instance from `ssl.SSLObject.getpeercert(binary_form=True)`.

    The certificate is not verified here: TLS has done that. Malformed: no certificate, or not one holder's name in it.
    """
    try:
        return of(x509.load_pem_x509_certificate(data) if data.startswith(PEM) else x509.load_der_x509_certificate(data))
    except ValueError:
        raise Malformed("certificate", "a certificate in PEM or DER is needed") from None


def of(certificate: x509.Certificate) -> Leaf:
    """Return the facts of a certificate. Malformed: it does not name exactly one holder."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        raise Malformed("certificate", "it names no holder (no subject alternative name)") from None
    named, hosts = split(list(found))
    if len(named) != 1:
        raise Malformed("certificate", "it must name one holder, as referral://PLANE/NAME")
    made, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Leaf(named[0], hosts, certificate.serial_number, made, ends, common(certificate.issuer))


def split(entries: Sequence[GeneralName]) -> tuple[list[Name], tuple[str, ...]]:
    """Return the holders and the hosts among alternative names; `nobody` is no host. Malformed: an entry of any other kind."""
    named, hosts = [], []
    for entry in entries:
        if isinstance(entry, UniformResourceIdentifier):
            try:
                named.append(names.parse(entry.value))
            except Rejected as error:
                raise Malformed("certificate", f"a URI in it is no holder's name: {error.hint}") from None
        elif isinstance(entry, DNSName | IPAddress):
            hosts += [str(entry.value)] * (not str(entry.value).endswith(NOBODY))
        else:
            raise Malformed("certificate", "only a holder's URI, host names and addresses may be in it")
    return named, tuple(hosts)


def joined(name: Name, hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    """Return the alternative names for a holder and its hosts. Rejected: a host that is none.

    An agency or operator also gets a host name that nobody has: without any, Java takes the common name for one and refuses it.
    """
    more = [] if name.plane.is_server else [DNSName(f"{name.name}.{nobody(name.plane)}")]
    return x509.SubjectAlternativeName([UniformResourceIdentifier(name.uri), *more, *map(_host, hosts)])


def nobody(plane: Plane) -> str:
    """Return the domain, which nobody has (RFC 2606), of the only host names that a client's certificate may have."""
    return f"{plane}{NOBODY}"


def common(name: x509.Name) -> str:
    """Return the common name, or nothing."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _host(text: str) -> GeneralName:
    try:
        return IPAddress(ip_address(text))
    except ValueError:
        pass
    try:
        if text and not set(text) & set(" /:@*"):
            return DNSName(text)
    except ValueError:
        pass
    raise Rejected("host", "--host", "a host name or an IP address, without port, user or wildcard")
