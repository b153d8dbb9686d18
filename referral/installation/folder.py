"""Make the folder of a new line: authority, certificates, keys, passwords, the file of whom everybody believes, settings."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from referral.ca import authority, files, identity, names, renewal
from referral.ca.authority import Place
from referral.domain.signers import NEEDED, PUBLIC
from referral.errors import Malformed, Rejected
from referral.installation import layout
from referral.installation.layout import ARCHIVE, KEEPER, PEOPLE, POSTGRES, Line
from referral.local import keyfiles
from referral.runtime import secret_file
from referral.runtime.keys import service_keys
from referral.runtime.postgres import rights, role_passwords
from referral.runtime.settings import SERVICES
from referral.tlog import note_keys
from referral.tlog.note_keys import ED25519, SEED, SignerKey
from referral.wire.signed import trust, writer_signature

OPEN, OWN = 0o711, 0o700
"""Rights of the whole folder, through which each program reaches its own, and of the folder of one program."""


@dataclass(frozen=True, slots=True)
class Made:
    """Facts of a new line that a person writes down. root: fingerprint of its root. log: public key of its log, for auditors."""

    root: str
    log: str


def make(folder: Path, line: Line, people: bytes, now: datetime) -> Made:
    """Make the folder beside its place and rename it: it is there as a whole or not at all.

    people: lines of `trust.toml` that policy keepers, approvers and operators sent; none for an exercise, whose people are made here.
    Rejected: the folder is not empty, a name or host is none, or `people` names too few. OSError: it cannot be written.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Rejected("exists", str(folder), "something is there already, and no key is ever overwritten: name a new or an empty folder")
    _named(line.name)
    if not line.exercise:
        _checked(people)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}{files.NEW}")
    with files.locked(folder.parent):
        shutil.rmtree(fresh, ignore_errors=True)  # what a kill left; nobody has used it
        fresh.mkdir(OWN)
        made = _filled(fresh, line, people, now)
        fresh.chmod(OPEN)
        fresh.rename(folder)
        files.synced(folder.parent)
    return made


def _filled(fresh: Path, line: Line, people: bytes, now: datetime) -> Made:
    at = authority.place(fresh / "authority", _folder(fresh / "safe") / "root.pem")
    authority.init(at, now, line.lists)
    authority.publish(at, fresh / "lists")
    for program, hosts in layout.programs(line).items():
        _certified(at, _folder(fresh / program), program, hosts, now)
    keeper = _folder(fresh / KEEPER)
    renewal.create(at, keeper / "tls", identity.request(keeper / "tls", names.parse(f"operator/{KEEPER}")), now)
    believed, log = _keys(fresh, line.name)
    lines, theirs = _made_up(_folder(keeper / PEOPLE)) if line.exercise else (people.decode(), {})
    _public(fresh / "trust.toml", (believed + lines).encode())
    people_keys = {word: tuple(str(path.relative_to(keeper)) for path in paths) for word, paths in theirs.items()}
    secret_file.write(keeper / f"{KEEPER}.toml", layout.settings(layout.keeper(line, people_keys), "the administrator's commands"))
    _backups(_folder(fresh / ARCHIVE), line, identity.roots(keeper / "tls"))
    for name in SERVICES:
        secret_file.write(fresh / name / f"{name}.toml", layout.settings(layout.service(line, name), name))
    return Made(identity.root_fingerprint(keeper / "tls"), log)


def _backups(place: Path, line: Line, roots: bytes) -> None:
    """Give the backup machine its role's password, the root by which it believes the database's server, and its environment."""
    password = secrets.token_urlsafe(role_passwords.SIZE)
    secret_file.write(place / "pgpass", f"*:*:*:{ARCHIVE}:{password}\n".encode())
    for server in sorted(place.parent.glob(f"{POSTGRES}*")):
        secret_file.write(server / f"{ARCHIVE}.password", f"{password}\n".encode())
    files.replace(place / "root.pem", roots)
    secret_file.write(place / f"{ARCHIVE}.env", layout.written(layout.archive(line), "of the programs that take backups, and of psql"))


def _certified(at: Place, place: Path, program: str, hosts: tuple[str, ...], now: datetime) -> None:
    """Give a program its certificate: servers of others have it in their folder, our services in `tls` there."""
    own = place / "tls" if program in SERVICES else place
    renewal.create(at, own, identity.request(own, names.parse(layout.holder(program)), hosts), now)
    if program not in SERVICES:
        files.replace(own / "root.pem", identity.roots(own))


def _keys(fresh: Path, origin: str) -> tuple[str, str]:
    """Make every key and password of the line's programs; return `trust.toml` without its people, and the log's public key."""
    keeper, intake = fresh / KEEPER, fresh / "intake"
    master, ingress = keyfiles.ensure(keeper)
    secret_file.write(intake / "ingress.key", ingress.read_bytes())
    service_keys.write(keeper / "services", service_keys.MasterKeys(bytes.fromhex(master.read_text("ascii"))))
    role_passwords.ensure(keeper / "passwords", rights.ROLES)
    for name in SERVICES:
        secret_file.write(fresh / name / "keys", (keeper / "services" / name).read_bytes())
        secret_file.write(fresh / name / "password", (keeper / "passwords" / name).read_bytes())
    password = secrets.token_urlsafe(role_passwords.SIZE).encode() + b"\n"
    for place in (keeper / "password", *(path / "keeper.password" for path in sorted(fresh.glob(f"{POSTGRES}*")))):
        secret_file.write(place, password)
    log = SignerKey(origin, ED25519, os.urandom(SEED))
    secret_file.write(fresh / "audit" / "log.key", log.encode() + b"\n")
    writers = (
        trust.writer_line(name, keyfiles.intake(fresh / name / "writer.key")) for name in sorted(set(writer_signature.OWNERS.values()))
    )
    begun = trust.policy_lines(keyfiles.policy(log.verifier, ()).decode())
    return "".join((*begun, trust.intake_line(keyfiles.intake(intake / "intake.key")), *writers)), log.verifier.encode().decode()


def _named(origin: str) -> None:
    try:
        note_keys.named(origin.encode(), "key", "--name")
    except Malformed as error:
        raise Rejected("name", "--name", str(error)) from None


def _made_up(folder: Path) -> tuple[str, dict[str, tuple[Path, ...]]]:
    """Make the keys of an exercise's people; return their lines of `trust.toml`, and word → key files."""
    lines, keys = list[str](), {}
    for word, files_of, field in (
        ("policy_keys", keyfiles.signers, "policy_keepers"),
        ("approval_keys", keyfiles.approvers, "approvers"),
        ("operator_keys", keyfiles.operators, "operators"),
    ):
        found = files_of(folder)
        lines += [trust.person_line(field, name, keyfiles.intake(path)) for name, path in found.items()]
        keys[word] = tuple(found.values())
    return "".join(lines), keys


def _checked(people: bytes) -> None:
    """Refuse lines of people with which no service would start. Rejected: a line is malformed or missing, or there are too few signers."""
    ours = "".join((*trust.policy_lines("quorum none\n"), trust.intake_line(bytes(PUBLIC)), 'writers = "off"\n')).encode()
    lines = ours.count(b"\n")
    try:
        known = trust.read(ours + people)
    except Malformed as error:
        hint = f"{error} (line {lines + 1} there is the first one of this file)"
        raise Rejected("people", "--people", hint) from None
    if len(known.policy.signers) < NEEDED:
        hint = "no service starts without two policy_keepers, who send their lines (`referral policy key`); or --exercise"
        raise Rejected("people", "--people", hint)


def _folder(path: Path) -> Path:
    path.mkdir(OWN)
    return path


def _public(path: Path, data: bytes) -> None:
    files.replace(path, data, files.PUBLIC)
