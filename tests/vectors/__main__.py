"""The vectors of docs/log-format.md. `python -m tests.vectors` compares the files with what is made; `--update` writes them.

`python -m tests.vectors archive FOLDER [NAME…]` writes whole exports, all or those that are named, with what must be found in each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.vectors import exports, files, leaves, lies, lines, omitted, order, own, people, signatures
from tests.vectors.form import FOLDER, VectorFile
from tests.vectors.line import Line

MADE: dict[str, Callable[[], VectorFile]] = {
    "agency": people.agencies,
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


ARCHIVES: dict[str, Callable[[], Line]] = {
    "clean": exports.clean,
    "forged": exports.forged,
    **{f"lies/{name}": partial(lies.told, lie) for name, lie in omitted.EVERY.items()},
}
"""Folder of an export → its maker."""


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
                exports.export(Path(folder) / name, ARCHIVES[name]())
            return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
