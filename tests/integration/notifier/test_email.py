"""E-mail against a real server: what is permanent, what is not, and that no address or server's word leaves the channel."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from referral.channels import Outgoing, Refused, Unreached, email
from referral.channels.email import Email, Relay
from referral.channels.message import compose
from referral.errors import Rejected
from referral.runtime import settings
from tests.harness import smtp

ADDRESS = "marker.officer@police.example"
REFERENCE = "3f0a91bc-0000-4000-8000-000000000000"
AT = 1_764_000_000_000_000
OUT = Outgoing("", REFERENCE, "4711", "sq", False, "https://inbox.example/", at=AT)
MESSAGE = compose(OUT)


def channel(port: int, tls: bool | None = None) -> Email:
    return Email(Relay("127.0.0.1", port, "inbox@referral.example", tls))


async def knock(line: Email, address: str = ADDRESS) -> None:
    await line.open()
    await line.send(replace(OUT, address=address))


async def test_a_message_arrives_as_it_was_written_and_the_line_is_kept() -> None:
    async with smtp.relay() as server:
        line = channel(server.port)
        for _ in range(3):
            await knock(line)
        await line.close()
        assert server.sessions == 1
        assert server.recipients == [ADDRESS] * 3
        assert [str(letter["Subject"]) for letter in server.letters] == [MESSAGE.subject] * 3
        assert server.letters[0].get_content().replace("\r\n", "\n") == MESSAGE.text
        assert server.letters[0]["Message-ID"] == server.letters[2]["Message-ID"]


@pytest.mark.parametrize(
    ("recipient", "data", "kind", "word"),
    [
        (smtp.unknown, smtp.accept, Refused, "refused"),
        (smtp.accept, smtp.unknown, Refused, "refused"),
        (smtp.full, smtp.accept, Unreached, "try-later"),
        (smtp.later, smtp.accept, Unreached, "server-busy"),
        (smtp.accept, smtp.later, Unreached, "server-busy"),
        (smtp.hang_up, smtp.accept, Unreached, "server-away"),
        (smtp.accept, smtp.hang_up, Unreached, "server-away"),
        (smtp.hang, smtp.accept, Unreached, "no-answer"),
        (smtp.accept, smtp.hang, Unreached, "no-answer"),
    ],
)
async def test_what_a_server_may_do(
    recipient: smtp.Answer, data: smtp.Answer, kind: type[Exception], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "ANSWER_SECONDS", 0.5)
    async with smtp.relay() as server:
        server.recipient, server.data = recipient, data
        line = channel(server.port)
        with pytest.raises(kind) as caught:
            await knock(line)
        assert str(caught.value) == word
        assert_silent(caught.value)
        server.recipient = server.data = smtp.accept
        await knock(line)  # the same line goes on
        assert len(server.letters) == 1
        await line.close()


def assert_silent(error: BaseException) -> None:
    """Neither the error nor anything that hangs on it knows the address or the server's words."""
    seen: BaseException | None = error
    text = "".join(traceback.format_exception(error))
    while seen is not None:
        text += repr(seen) + repr(seen.args) + repr(vars(seen))
        seen = seen.__cause__ or seen.__context__
    assert "marker.officer" not in text
    assert "unknown here" not in text
    assert "come back" not in text


@pytest.mark.parametrize(
    "address", ["no-address", "a b@police.example", "x@y\r\nBcc: other@police.example", "<marker.officer@police.example>", "ë@x.example"]
)
async def test_an_address_that_cannot_be_one_is_refused_quietly(address: str) -> None:
    async with smtp.relay() as server:
        line = channel(server.port)
        with pytest.raises(Refused) as caught:
            await knock(line, address)
        assert_silent(caught.value)
        assert server.letters == []
        await line.close()


async def test_a_server_that_is_not_there() -> None:
    async with smtp.relay() as server:
        port = server.port
    with pytest.raises(Unreached) as caught:
        await channel(port).open()
    assert str(caught.value) == "server-away"


async def test_a_server_that_connects_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "CONNECT_SECONDS", 0.3)
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    with pytest.raises(Unreached) as caught:
        await channel(server.sockets[0].getsockname()[1]).open()
    assert str(caught.value) == "no-answer"
    server.close()


async def test_a_line_that_the_server_dropped_is_opened_again() -> None:
    async with smtp.relay() as first:
        line = channel(first.port)
        await knock(line)
        assert line._line is not None and line._line.transport is not None
        line._line.transport.abort()
        await knock(line)
        assert (len(first.letters), first.sessions) == (2, 2)
        await line.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    import ipaddress

    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "relay.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_encryption_is_used_where_it_is_offered_and_the_certificate_is_checked(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with smtp.relay(server_side(certificate)) as server:
        with pytest.raises(Unreached) as caught:
            await channel(server.port).open()
        assert str(caught.value) == "not-secured"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        line = channel(server.port)
        await knock(line)
        assert line._line is not None and line._line.get_transport_info("sslcontext") is not None
        await line.close()


async def test_a_relay_that_must_encrypt_and_cannot_gets_nothing() -> None:
    async with smtp.relay() as server:
        with pytest.raises(Unreached):
            await channel(server.port, tls=True).open()
        assert server.letters == []


@pytest.mark.parametrize("tls", [None, True])
async def test_a_password_never_leaves_without_tls(tls: bool | None, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the setting says: a relay without STARTTLS, or somebody who stripped it, is given nothing."""
    signed_in: list[object] = []

    def authenticator(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        signed_in.append(data)
        return AuthResult(success=True)

    async with smtp.relay(authenticator=authenticator) as bare:
        with pytest.raises(Unreached) as caught:
            await Email(Relay("127.0.0.1", bare.port, "inbox@referral.example", tls, "notifier", "made up")).open()
        assert str(caught.value) == "not-secured"
        assert (signed_in, bare.letters) == ([], [])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with smtp.relay(server_side(certificate), authenticator) as secure:
        line = Email(Relay("127.0.0.1", secure.port, "inbox@referral.example", tls, "notifier", "made up"))
        await knock(line)
        assert (len(signed_in), len(secure.letters)) == (1, 1)
        await line.close()


def test_a_password_that_must_go_out_in_clear_is_refused_at_the_start(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("made up")
    told = {"REFERRAL_SMTP_USER": "notifier", "REFERRAL_SMTP_PASSWORD_FILE": str(secret)}
    assert email.relays(settings.read(told))["email-1"].start_tls is True
    with pytest.raises(Rejected, match="the password would go out in clear"):
        settings.read({**told, "REFERRAL_SMTP_TLS": "never"})
    for half in told:
        with pytest.raises(Rejected, match="together with"):
            settings.read({half: told[half]})
