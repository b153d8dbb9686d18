"""`referral audit key`: what an operator needs before the log can be signed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from referral.cli import show
from referral.errors import Malformed
from referral.local import keyfiles
from referral.proof import note_keys
from referral.proof.note_keys import ED25519, SignerKey

KeyFile = Annotated[Path, typer.Option("--key", help="The secret key; a new file, never overwritten.")]
Name = Annotated[
    str, typer.Option("--name", help="The log's name for ever, its origin: a host of yours and a path, as audit.example/referral.")
]
IntakeFile = Annotated[Path, typer.Option("--intake-key", help="Intake's own secret key; made if it is not there, never overwritten.")]
PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy file that is begun; a new file too.")]


def key_command(
    name: Name,
    key: KeyFile = Path("log.key"),
    policy: PolicyFile = Path("witness.policy"),
    intake: IntakeFile = Path("intake.key"),
    as_json: show.Json = False,
) -> int:
    """Make the key that signs the log and the one with which intake signs, and begin the policy file in which you name the witnesses.

    A log keeps its key and its name for its whole life. Keep its key on audit's machine alone; a lost key ends the log. Keep intake's on
    intake's machines alone: whoever has it can sign receipts and erasures. The policy file names the public half of both.

    Exit 0 made, 2 a file is there already or cannot be written.

    Example: referral audit key --name audit.example/referral
    """
    try:
        note_keys.named(name.encode(), "key", "--name")
    except Malformed as error:
        raise typer.BadParameter(str(error)) from None
    made = SignerKey(name, ED25519, os.urandom(keyfiles.SEED))
    try:
        known = keyfiles.intake(intake)
    except OSError as error:
        raise typer.BadParameter(f"{intake}: {error.strerror}") from None
    for path, data in ((policy, keyfiles.policy(made.verifier, (), known)), (key, made.encode() + b"\n")):
        try:
            keyfiles.write(path, data)
        except OSError as error:
            raise typer.BadParameter(f"{path}: {error.strerror}") from None
    public = made.verifier.encode().decode()
    if as_json:
        show.document({"origin": name, "key": public, "key_file": str(key), "policy_file": str(policy), "intake_key_file": str(intake)})
    else:
        show.console.print(f"public key of the log, for witnesses and auditors:\n  {public}", soft_wrap=True, markup=False)
        show.console.print(
            f"now: name witnesses and a quorum in {policy}; set REFERRAL_WITNESS_POLICY for every service, REFERRAL_LOG_KEY_FILE for audit "
            f"and REFERRAL_INTAKE_KEY_FILE ({intake}) for intake",
            soft_wrap=True,
        )
    return 0
