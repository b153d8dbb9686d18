"""`referral submit FILE…`: publish referrals from JSON, JSON Lines or HTCDS files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from referral.cli import show, submit_file
from referral.cli.submit_file import Told
from referral.client import Client, Problem
from referral.errors import Rejected


@dataclass(frozen=True, slots=True)
class Line:
    """One referral of a file. where: file:line. key: its Idempotency-Key, the same each time the file is read."""

    where: str
    key: str
    body: bytes
    error: str = ""


def read(path: Path, text: bytes) -> Iterator[Line]:
    """The referrals of one file: a .jsonl file holds one a line, any other one in all.

    The key is the record's own `key`, else the SHA-256 of its text and of how often that text came before in the file: an interrupted
    run is resumed by sending the file again, and two equal lines are two children.
    """
    lines = list(enumerate(text.splitlines(), 1)) if path.suffix in (".jsonl", ".ndjson") else [(1, text)]
    seen: Counter[bytes] = Counter()
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = json.loads(line, object_pairs_hook=_once, parse_constant=_no_constant)
            if not isinstance(record, dict):
                raise ValueError("a referral is a JSON object")
            own = record.pop("key", None)
            if isinstance(own, str) and not (own.isascii() and own.isprintable()):
                raise ValueError("its key is not printable ASCII")
            body = json.dumps(record, ensure_ascii=False).encode()
        except UnicodeError:
            yield Line(where, "", b"", "broken JSON: a text holds bytes or a character that is none")
            continue
        except (ValueError, RecursionError) as error:
            yield Line(where, "", b"", f"broken JSON: {error}")
            continue
        seen[line] += 1
        key = own if isinstance(own, str) and own else hashlib.sha256(b"%d\n%s" % (seen[line], line.strip())).hexdigest()
        yield Line(where, key, body)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError("the same name stands twice in one object; which one is meant?")
    return dict(pairs)


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON; leave the field out")


def submit(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="JSON; JSON Lines (.jsonl), one referral a line; CSV or JSON in the shape of HTCDS."),
    ],
    url: show.Url = show.DEFAULT_URL,
    token: show.Token = "",
    as_json: show.Json = False,
) -> int:
    """Publish referrals. Send a file again after an interruption: nothing is doubled.

    Exit 0 all received, 1 some were refused (the table says why), 2 the file or intake cannot be reached.

    Example: referral submit examples/referrals.jsonl
    """
    read_files = [(path, path.read_bytes()) for path in files]
    sheets = {path: kind for path, text in read_files if (kind := submit_file.media(path, text))}
    lines = {path: list(read(path, text)) for path, text in read_files if path not in sheets}
    if not sheets and not any(lines.values()):
        raise Rejected("nothing-to-send", ", ".join(map(str, files)), "the file holds no referral")
    told: list[Told] = []
    with show.client(url, token) as client:
        for path, text in read_files:
            if path in sheets:
                told += submit_file.send(client, path, text, sheets[path])
            else:
                told += (_send(client, line) for line in lines[path])
    if as_json:
        show.document([{"where": one.where, **one.receipt, **({"error": one.result} if one.bad else {})} for one in told])
    else:
        show.table(("line", "case", "result"), [(one.where, one.receipt.get("case_id", ""), one.result) for one in told])
    return 1 if any(one.bad for one in told) else 0


def _send(client: Client, line: Line) -> Told:
    if line.error:
        return Told(line.where, {"key": ""}, line.error, True)
    try:
        return Told(line.where, {"key": line.key, **client.submit(line.body, key=line.key)}, "received", False)
    except Problem as problem:
        return Told(line.where, {"key": line.key}, str(problem), True)


def submission(key: str, url: show.Url = show.DEFAULT_URL, token: show.Token = "", as_json: show.Json = False) -> int:
    """Tell what became of what your agency sent under a number of its own, by HTTP or Kafka.

    Exit 0 taken, 1 something sent under this number was refused, also beside what was taken, or nothing came; 2 intake cannot be reached.

    Example: referral submission drita-2026-0004
    """
    with show.client(url, token) as client:
        found = client.submission(key)
    refusals = found.get("refusals", ())
    if as_json:
        show.document(found)
    else:
        rows = [(show.moment(one["at"]), "REFUSED", "", f"{one['code']} at {one['where']}: {one['hint']}") for one in refusals]
        if found["state"] == "TAKEN":
            rows.append((show.moment(found["received_at"]), "TAKEN", found["case_id"], found["kind"]))
        show.table(("when", "state", "case", "what"), rows)
    return 1 if refusals else 0
