"""Passwords of the database's roles, and what an address must say before one is sent to it."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from referral.errors import Rejected
from referral.runtime.postgres import database, role_passwords, roles
from referral.runtime.settings import Settings, load

LOCAL = "postgresql+asyncpg://keeper@/referral?host=/run/postgresql&passfile=/home/keeper/.pgpass"
AWAY = "postgresql+asyncpg://keeper@db.example.org:5432/referral"


def settings(address: str, *, file: Path | None = None, folder: Path | None = None) -> Settings:
    return Settings(
        kafka="", database=address, database_password_file=file, database_passwords=folder, master_key_file=Path("/none"), instance="t"
    )


def secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def test_a_service_logs_in_with_the_password_of_its_file_and_nobody_s_else(tmp_path: Path) -> None:
    file = secret(tmp_path / "notifier", "it's @/:%\n")
    own = database.url(settings(LOCAL.replace("keeper@", "keeper:s3@"), file=file), "notifier")
    assert (own.username, own.password, dict(own.query)) == ("notifier", "it's @/:%", {"host": "/run/postgresql"})
    assert database.url(settings(LOCAL, folder=tmp_path), "notifier").password == "it's @/:%"
    bare = database.url(settings(LOCAL.replace("keeper@", "keeper:s3@")), "notifier")
    assert bare.password is None, "the administrator's password is no service's"
    assert database.url(settings(AWAY.replace("keeper@", "keeper:s3@")), "keeper").password == "s3"


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [("secret", 0o640, "open-password"), ("", 0o600, "no-password"), ("a\nb", 0o600, "no-password"), ("pässword", 0o600, "no-password")],
)
def test_an_unfit_password_is_refused_by_name_and_not_shown(tmp_path: Path, text: str, mode: int, code: str) -> None:
    with pytest.raises(Rejected, match=f"^{code} at REFERRAL_DATABASE_PASSWORD_FILE: ") as told:
        database.url(settings(LOCAL, file=secret(tmp_path / "intake", text, mode)), "intake")
    assert not text or text not in str(told.value)


def test_prepare_makes_what_is_missing_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    first = roles.passwords(settings(LOCAL, folder=folder), make=True)
    assert roles.passwords(settings(LOCAL, folder=folder), make=True) == first == roles.passwords(settings(LOCAL, folder=folder))
    assert len(set(first.values())) == len(first) and min(map(len, first.values())) >= 32
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600} and folder.stat().st_mode & 0o777 == 0o700


def test_a_password_that_two_share_is_refused(tmp_path: Path) -> None:
    found = roles.passwords(settings(LOCAL, folder=tmp_path), make=True)
    with pytest.raises(Rejected, match="audit has the administrator's password"):
        roles.passwords(settings(AWAY.replace("keeper@", f"keeper:{found['audit']}@"), folder=tmp_path))
    secret(tmp_path / "audit", found["intake"])
    with pytest.raises(Rejected, match="intake and audit have the same password"):
        roles.passwords(settings(LOCAL, folder=tmp_path))
    with pytest.raises(Rejected, match="missing at REFERRAL_DATABASE_PASSWORDS"):
        roles.passwords(settings(LOCAL), make=True)


def test_what_the_server_stores_is_no_password() -> None:
    first, second = role_passwords.verifier("secret"), role_passwords.verifier("secret")
    assert first != second and "secret" not in first and first.startswith("SCRAM-SHA-256$4096:")


@pytest.mark.parametrize(
    "address",
    [
        AWAY,
        f"{AWAY}?sslmode=require",
        f"{AWAY}?sslmode=verify-ca",
        "postgresql+asyncpg://x@/r?host=/run&host=db.example.org",
        "postgresql+asyncpg://x@/r?host=/run,db.example.org&port=5432,5432",
    ],
)
def test_a_server_on_another_machine_must_show_a_certificate(address: str) -> None:
    for make in (lambda: database.admin(settings(address)), lambda: database.engine(settings(address), "intake")):
        with pytest.raises(Rejected, match=r"^not-encrypted at REFERRAL_DATABASE: .*sslmode=verify-full&sslrootcert=FILE"):
            make()


@pytest.mark.parametrize(
    "address", [LOCAL, "postgresql+asyncpg://x@/r", "postgresql+asyncpg://x@127.0.0.1:5/r", "postgresql+asyncpg://x@[::1]/r"]
)
def test_on_one_machine_no_certificate_is_asked_for(address: str) -> None:
    assert database.encrypted(make_url(address)) == (make_url(address), {})


@pytest.mark.parametrize(
    ("query", "hosts"),
    [("host=a:5432&host=b:5433", ["a", "b"]), ("host=/run/one,/run/two&port=5432,5432", ["/run/one", "/run/two"]), ("host=/run", "/run")],
)
def test_the_driver_is_told_every_server_that_an_address_names(query: str, hosts: object) -> None:
    found = roles._arguments(make_url(f"postgresql+asyncpg://x@/r?{query}&target_session_attrs=read-write&passfile=/p"))
    assert (found["host"], found["database"], found["target_session_attrs"]) == (hosts, "r", "read-write")
    assert not {"user", "password", "passfile"} & found.keys()


def test_a_server_that_only_follows_counts_as_away() -> None:
    refused = asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction")
    assert database.away(DBAPIError("INSERT", None, refused))
    assert not database.away(DBAPIError("INSERT", None, asyncpg.UniqueViolationError("twice")))


def test_the_context_checks_name_and_authority_and_takes_nothing_older_than_tls_1_3(tmp_path: Path) -> None:
    _, tls = database.encrypted(make_url(f"{AWAY}?sslmode=verify-full"))
    context = tls["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    with pytest.raises(Rejected, match="no-authority"):
        database.encrypted(make_url(f"{AWAY}?sslmode=verify-full&sslrootcert={tmp_path / 'none'}"))


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a name, and its key: (certificate, both)."""
    key, who = Ed25519PrivateKey.generate(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = made.sign(key, None).public_bytes(Encoding.PEM)
    public, both = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(pem)
    both.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return public, both


@pytest.mark.parametrize(
    ("named", "trusted", "hello"), [("localhost", True, True), ("localhost", False, False), ("elsewhere.org", True, False)]
)
async def test_no_password_goes_to_a_server_without_the_right_certificate(tmp_path: Path, named: str, trusted: bool, hello: bool) -> None:
    """A server that speaks TLS as PostgreSQL does, and writes down whether anybody said a word inside it."""
    public, both = certificate(tmp_path, named)
    other, _ = certificate(tmp_path, "other.org")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # SSLRequest
        writer.write(b"S")
        try:
            await writer.start_tls(context)
            heard.append(await reader.read(100))
        except (ssl.SSLError, OSError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"postgresql+asyncpg://keeper:s3@localhost:{port}/r?sslmode=verify-full&sslrootcert={public if trusted else other}"
    engine = database.admin(settings(address))
    with pytest.raises(Exception):  # noqa: B017 - it is no PostgreSQL; what it heard is what counts
        async with engine.connect():
            pass
    await engine.dispose()
    server.close()
    await server.wait_closed()
    assert bool(any(heard)) is hello


def test_both_settings_are_read(tmp_path: Path) -> None:
    found = load(
        {
            "REFERRAL_KAFKA": "k",
            "REFERRAL_DATABASE": LOCAL,
            "REFERRAL_MASTER_KEY_FILE": "/m",
            "REFERRAL_DATABASE_PASSWORD_FILE": str(tmp_path / "one"),
            "REFERRAL_DATABASE_PASSWORDS": str(tmp_path),
        }
    )
    assert (found.database_password_file, found.database_passwords) == (tmp_path / "one", tmp_path)
