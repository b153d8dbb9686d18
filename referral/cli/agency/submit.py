"""`referral submit FILE…`: publish referrals from JSON, JSON Lines or HTCDS files, and report the result of each row."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from referral.cli import console
from referral.client import Client, Problem
from referral.domain.local_time import moment
from referral.errors import Rejected


@dataclass(frozen=True, slots=True)
class Line:
    """One referral of a file. where: file:line. key: its Idempotency-Key, the same each time the file is read."""

    where: str
    key: str
    body: bytes
    error: str = ""


def read(path: Path, text: bytes) -> Iterator[Line]:
    """Yield the referrals of one file: a .jsonl file holds one per line, any other file is one referral.

    The key is the record's own `key`, else the SHA-256 of its text and of its count so far in the file. So a user resumes an interrupted
    run
    by sending the file again, and two equal lines are two children.
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
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    salts: Annotated[
        Path | None, typer.Option("--salts", help="File that gets the salt of each referral's words, one a line; for its owner alone.")
    ] = None,
    as_json: console.Json = False,
) -> int:
    """Publish referrals. Send a file again after an interruption: nothing is doubled.

    Keep the file of --salts beside your own, never beside receipts: with body, receipt and salt an auditor finds out whether intake
    recorded what you sent. Rows in the shape of HTCDS have none.

    Exit 0 all received, 1 some were refused (the table says why), 2 a file or intake cannot be reached.

    Example: referral submit examples/referrals.jsonl
    """
    read_files = [(path, path.read_bytes()) for path in files]
    sheets = {path: kind for path, text in read_files if (kind := media(path, text))}
    lines = {path: list(read(path, text)) for path, text in read_files if path not in sheets}
    if not sheets and not any(lines.values()):
        raise Rejected("nothing-to-send", ", ".join(map(str, files)), "the file holds no referral")
    results: list[SendResult] = []
    with console.client(url, token) as client:
        if salts is not None:  # before anything is sent: without its salt nobody compares a receipt
            _keep(
                salts,
                [{"where": one.where, "key": one.key, "salt": client.salt_of(one.key)} for of in lines.values() for one in of if one.key],
            )
        for path, text in read_files:
            if path in sheets:
                results += send(client, path, text, sheets[path])
            else:
                results += (_send(client, line) for line in lines[path])
    if as_json:
        console.document(
            [{"where": result.where, **result.receipt, **({"error": result.result} if result.bad else {})} for result in results]
        )
    else:
        console.table(("line", "case", "result"), [(result.where, result.receipt.get("case_id", ""), result.result) for result in results])
    return 1 if any(result.bad for result in results) else 0


def _keep(path: Path, salts: list[dict[str, str]]) -> None:
    """Append salts to a file that its owner alone reads; after a file that was sent again it has the same lines twice."""
    try:
        path.touch(0o600)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in salts)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def _send(client: Client, line: Line) -> SendResult:
    if line.error:
        return SendResult(line.where, {"key": ""}, line.error, True)
    try:
        receipt = client.submit(line.body, key=line.key)
        result = "received; deliver its file later" if receipt.get("file") else "received"
        return SendResult(line.where, {"key": line.key, **receipt}, result, False)
    except Problem as problem:
        return SendResult(line.where, {"key": line.key}, str(problem), True)


def submission(key: str, url: console.Url = console.DEFAULT_URL, token: console.Token = "", as_json: console.Json = False) -> int:
    """Show the result of a message that your agency sent under its own number, by HTTP or Kafka.

    Exit 0 accepted, 1 a message under this number was refused (even if another was accepted), or none arrived, 2 intake cannot be reached.

    Example: referral submission drita-2026-0004
    """
    with console.client(url, token) as client:
        status = client.submission(key)
    refusals = status.get("refusals", ())
    if as_json:
        console.document(status)
    else:
        rows = [
            (moment(refusal["at"]), "REFUSED", "", f"{refusal['code']} at {refusal['where']}: {refusal['hint']}") for refusal in refusals
        ]
        if status["state"] == "TAKEN":
            what = " ".join(filter(None, (status["kind"], status.get("became"), status.get("reason"))))
            rows.append((moment(status["received_at"]), "TAKEN", status["case_id"], what))
        console.table(("when", "state", "case", "what"), rows)
    return 1 if refusals else 0


_FIELD = re.compile(r"(prs|vic|per|cas|con|cco|hte|spl|org|ref)_[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result for one record, or for a file as a whole. where: file:row. result: received, received before, or the problem."""

    where: str
    receipt: dict[str, Any]
    result: str
    bad: bool


def media(path: Path, text: bytes) -> str:
    """Return the media type of an HTCDS file; "" for a file in our own format. JSON is HTCDS when one of its names is an HTCDS field."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return "text/csv"
    if path.suffix.lower() != ".json":
        return ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    first = value[0] if isinstance(value, list) and value else value
    return "application/vnd.htcds+json" if isinstance(first, dict) and any(map(_FIELD.fullmatch, first)) else ""


def send(client: Client, path: Path, text: bytes, kind: str) -> Iterator[SendResult]:
    """Send a file. Yield the result of each record, then of each column that was left out."""
    try:
        answer = client.submit_file(text, kind)
    except Problem as problem:
        yield SendResult(str(path), {}, str(problem), True)
        return
    for row in answer["rows"]:
        wrong = [f"{one['code']} at {one['where']}: {one['hint']}" for one in row.get("problems", ())]
        result = "; ".join(wrong) or ("received before" if row["state"] == "REPEATED" else "received")
        yield SendResult(f"{path}:{row['row']}", row, result, bool(wrong))
    for note in answer["ignored"]:
        name = f", {note['name']}" if note["name"] else ""
        yield SendResult(f"{path}, {note['where']}{name}", {"ignored": note["hint"]}, f"{note['hint']} ({note['filled']} filled)", False)
