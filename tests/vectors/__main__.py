"""The vectors of docs/log-format.md. `python -m tests.vectors` compares the files with what is made; `--update` writes them.

`python -m tests.vectors archive FOLDER [NAME…]` writes whole exports, all or those that are named, with what must be found in each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from referral.proof.verify.report import Report
from tests.vectors import alone, exports, files, leaves, lies, lines, omitted, order, own, people, signatures
from tests.vectors.form import FOLDER, VectorFile

MADE: dict[str, Callable[[], VectorFile]] = {
    "agency": people.agencies,
    "alone": alone.alone,
    "avro": leaves.avro_file,
    "body": leaves.bodies,
    "checkpoint": files.checkpoints,
    "erasure": people.erasures,
    "ids": leaves.ids,
    "kind": leaves.kind,
    "leaf": leaves.leaf,
    "lent-keys": files.lent,
    "lies": omitted.lies,
    "mutations": exports.mutations,
    "open": signatures.opened,
    "operators": own.operators,
    "order": order.logs,
    "own": own.own,
    "payload": files.payloads,
    "policy": signatures.policies,
    "policy-lines": lines.policy_lines,
    "receipt": people.receipts,
    "record-signature": signatures.records,
    "rest": leaves.rest_file,
    "sealed": files.sealed,
    "security": own.events,
    "trust": lines.trusts,
}
"""Name of a file → its maker."""


def _lie(one: lies.Lie, folder: Path) -> Report:
    return exports.export(folder, lies.told(one))


def _alone(one: alone.Alone, folder: Path) -> Report:
    return exports.export(folder, one.make(), one)


ARCHIVES: dict[str, Callable[[Path], Report]] = {
    "clean": lambda folder: exports.export(folder, exports.clean()),
    "forged": lambda folder: exports.export(folder, exports.forged()),
    **{f"lies/{name}": partial(_lie, one) for name, one in omitted.EVERY.items()},
    **{f"alone/{name}": partial(_alone, one) for name, one in alone.EVERY.items()},
}
"""Folder of an export → what writes it there."""


def differing() -> list[str]:
    """Return the names of the files that are not what is made."""
    return [name for name, make in MADE.items() if not (path := FOLDER / f"{name}.json").exists() or path.read_bytes() != make().encode()]


def main(words: list[str]) -> int:
    match words:
        case []:
            found = differing()
            print("\n".join(f"{name}.json is not what is made: look at the change, then `--update`" for name in found) or "as made")
            return int(bool(found))
        case ["--update"]:
            FOLDER.mkdir(exist_ok=True)
            for name, make in MADE.items():
                (FOLDER / f"{name}.json").write_bytes(make().encode())
            return 0
        case ["archive", folder, *names] if ARCHIVES.keys() >= set(names):
            for name in names or ARCHIVES:
                ARCHIVES[name](Path(folder) / name)
            return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
