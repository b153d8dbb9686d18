"""Run a witness of the local log: the program that an agency runs too, with a key of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from referral.local import keyfiles
from referral.local.asking import Asking
from referral.local.child import Recipe
from referral.local.server import Server
from referral.tlog import note_keys
from referral.tlog.note_keys import VerifierKey

READY_S = 60.0
NO_LOG = f"/checkpoint/{'0' * 64}"
"""Path of a log that no witness knows: it answers 404."""


class Witness(Server):
    """A process `referral audit witness` at one address. Its key and its last cosigned checkpoints stay in the folder."""

    tries = 2

    def __init__(
        self, name: str, folder: Path, port: int, log_key: VerifierKey, log: Path, *, identity: Path, keep: tuple[int, ...] = ()
    ) -> None:
        """Prepare a witness; `start` starts it.

        name: e.g. `witness-1`.
        folder: holds its key and its state.
        port: port of its HTTP.
        log_key: public key of the log that it witnesses.
        log: file for its output.
        identity: folder of the identity with which it speaks TLS.
        keep: descriptors that it inherits and holds.
        """
        super().__init__(log)
        self.name, self.port, self._identity, self._keep = name, port, identity, keep
        self._key, self._logs = folder / f"{name}.key", folder / f"{name}.logs"
        self._log = log_key
        self._asking = Asking(port, identity)

    @property
    def address(self) -> str:
        """Return host:port of its HTTP server."""
        return f"127.0.0.1:{self.port}"

    @property
    def key(self) -> VerifierKey:
        """Return its public key, which exists after its first start."""
        return note_keys.signer(self._key.read_bytes().strip()).verifier

    def start(self) -> str:
        """Start it (again) and wait until it answers. Raises Trouble."""
        self._logs.write_bytes(keyfiles.policy(self._log, ()))
        words = ["audit", "witness", "--policy", str(self._logs), "--key", str(self._key), "--http", self.address, "--json"]
        words += ["--tls", str(self._identity)]
        if not self._key.exists():
            words += ["--name", f"{self.name}.test/{self._log.id.hex()}"]
        self._stopping.clear()
        child = self._spawn(
            Recipe((sys.executable, "-m", "referral.cli", *words), self.log, env={"PYTHONUNBUFFERED": "1"}, keep=self._keep)
        )
        return self._ready(child, self.name, READY_S)

    def answers(self) -> bool:
        """Return whether it answers HTTP."""
        return self._asking.get(NO_LOG)[0] == 404

    def stop(self) -> None:
        """Stop it in an orderly way."""
        self._asking.close()
        super().stop()


def policy(log: VerifierKey, witnesses: Sequence[Witness]) -> bytes:
    """Return the log's policy file with the witnesses' addresses."""
    return keyfiles.policy(log, [(witness.name, witness.key, f"https://{witness.address}") for witness in witnesses])
