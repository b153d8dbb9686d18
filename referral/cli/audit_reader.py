"""`referral audit reader`: the key pair to which the keys of cases are lent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from referral.cli import show

KeyPath = Annotated[Path, typer.Argument(metavar="FILE", help="The secret key; the public one stands beside it with .pub.")]


def reader_command(path: KeyPath, as_json: show.Json = False) -> int:
    """Make an auditor's key pair. Keep FILE, for yourself alone; give FILE.pub to whoever exports for you.

    Exit 0 made, 2 the file exists or cannot be written.

    Example: referral audit reader auditor.key
    """
    secret, public = X25519PrivateKey.generate(), path.with_name(f"{path.name}.pub")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}") from None
    if as_json:
        show.document({"secret": str(path), "public": str(public)})
    else:
        show.console.print(
            f"{path}: keep it, for yourself alone\n{public}: give it to whoever exports for you", markup=False, soft_wrap=True
        )
    return 0
