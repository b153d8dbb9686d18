"""`referral audit monitor`: does everybody see the same log? What each witness shows, held against the others and against the log."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer
from msgspec import Struct

from referral.cli import show
from referral.errors import Malformed, Rejected
from referral.proof import merkle, note, tile_path, tiles, views, witness_policy
from referral.proof.note_keys import VerifierKey
from referral.proof.views import Split, View
from referral.proof.witness_policy import Policy

TIMEOUT_S = 10.0
"""For one whole answer (ours): who sends a byte now and then is away too."""
MOST_BYTES = 64 * 1024
"""Of an answer (ours): a tile has 8 KB."""
MISSING = "it answers 404"

Witnesses = Annotated[Path, typer.Option("--witnesses", help="C2SP policy file: the log's key, and the witnesses with their addresses.")]
Url = Annotated[str, typer.Option("--log", envvar="REFERRAL_AUDIT_URL", help="Address of the log.")]
Every = Annotated[
    float | None, typer.Option("--every", min=1, help="Look again after so many seconds, until Ctrl-C or something is wrong.")
]
Keep = Annotated[Path | None, typer.Option("--keep", help="Folder for the two notes of a split view: the proof of it.")]


class Looked(Struct, frozen=True):
    """away: who could not be asked, and why. wrong: who showed what is not signed as it should be."""

    views: list[View]
    splits: list[Split]
    away: dict[str, str]
    wrong: dict[str, str]

    def exit_code(self) -> int:
        if self.splits or self.wrong:
            return 1
        return 3 if self.away else 0


def monitor_command(
    witnesses: Witnesses, log: Url = "http://localhost:8084", every: Every = None, keep: Keep = None, as_json: show.Json = False
) -> int:
    """Compare the views of all witnesses with one another and with the log: two heads that no one tree has are a split view.

    Run it beside the log, and better at an agency or the Ombudsperson, who need nothing of ours but this.

    Exit 0 everybody sees one log, 1 a split view or a false signature, 2 the policy file cannot be used, 3 somebody could not be asked.

    Example: referral audit monitor --witnesses witness.policy --log https://audit.example
    """
    try:
        policy = witness_policy.parse(witnesses.read_bytes())
    except (OSError, Malformed) as error:
        raise typer.BadParameter(f"{witnesses}: {error}") from None
    if len(policy.logs) != 1:
        raise typer.BadParameter(f"{witnesses}: it names {len(policy.logs)} logs; one is watched at a time")
    while True:
        looked = asyncio.run(look(policy, log))
        _tell(looked, as_json)
        if keep is not None:
            _keep(looked, keep)
        if not every or looked.exit_code() == 1:
            return looked.exit_code()
        time.sleep(every)


async def look(policy: Policy, log: str) -> Looked:
    """Ask everybody at once, and hold their answers against one another."""
    own = policy.logs[0].key
    origin = hashlib.sha256(own.name.encode()).hexdigest()
    asked: list[tuple[str, str, VerifierKey | None]] = [("the log", f"{log.rstrip('/')}/checkpoint", None)]
    asked += [(w.name, f"{w.url.rstrip('/')}/checkpoint/{origin}", w.key) for w in policy.witnesses if w.url]
    looked = Looked([], [], {w.name: "the policy names no address" for w in policy.witnesses if not w.url}, {})
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        answers = await asyncio.gather(*(_get(client, url) for _, url, _ in asked))
        for (who, _, key), answer in zip(asked, answers, strict=True):
            try:
                if isinstance(answer, str):
                    looked.away[who] = answer
                else:
                    looked.views.append(views.view(who, answer, own, key))
            except Malformed as error:
                looked.wrong[who] = str(error)
        for shown in looked.views:
            if shown.seconds is None:
                _published(policy, shown, looked)
        looked.splits.extend(views.same_size(looked.views))
        for older, newer in itertools.pairwise(views.sizes(looked.views)):
            await _continues(client, log, older, newer, looked)
    return looked


def _published(policy: Policy, shown: View, looked: Looked) -> None:
    """What the log publishes has its quorum, or it is not published."""
    try:
        witness_policy.accept(policy, note.parse(shown.shown))
    except Malformed as error:
        looked.wrong[shown.who] = f"it publishes a checkpoint without its quorum: {error}"


async def _continues(client: httpx.AsyncClient, log: str, older: View, newer: View, looked: Looked) -> None:
    """By the log's own tiles, for who cannot show a proof has none."""
    size = newer.said.size
    wanted = tile_path.for_spans(merkle.consistency_spans(older.said.size, size), size) if older.said.size else ()
    found = await asyncio.gather(*(_get(client, f"{log.rstrip('/')}/{tile.path}") for tile in wanted))
    held = {tile: data for tile, data in zip(wanted, found, strict=True) if isinstance(data, bytes)}
    if len(held) < len(wanted):
        why = next(data for data in found if isinstance(data, str))
        if why == MISSING:
            looked.wrong["the log"] = f"it has signed {size} entries ({newer.who} shows it) and does not hold them: it was cut, or set back"
        else:
            looked.away["the log"] = f"a tile between {older.said.size} and {size} entries: {why}"
        return
    try:
        split = views.continues(older, newer, tiles.nodes(held.__getitem__, size))
    except Malformed as error:
        looked.wrong["the log"] = str(error)
        return
    if split is not None:
        looked.splits.append(split)


async def _get(client: httpx.AsyncClient, url: str) -> bytes | str:
    """What is there, or why not."""
    try:
        async with asyncio.timeout(TIMEOUT_S), client.stream("GET", url) as answer:
            data = b""
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > MOST_BYTES:
                    return "its answer has no end"
            return data if answer.status_code == 200 else f"it answers {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return f"{type(error).__name__}"


def _tell(looked: Looked, as_json: bool) -> None:
    if as_json:
        show.document(_document(looked))
        return
    rows = [
        (v.who, f"{v.said.size:,}", v.said.root.hex()[:16], "" if v.seconds is None else show.moment(v.seconds * 1_000_000))
        for v in looked.views
    ]
    rows += [(who, "", "", f"NOT ASKED: {why}") for who, why in looked.away.items()]
    rows += [(who, "", "", f"WRONG: {why}") for who, why in looked.wrong.items()]
    show.table(("who", "entries", "root", "seen"), rows)
    for split in looked.splits:
        show.console.print(f"SPLIT VIEW: {split.first.who} and {split.second.who}: {split.why}", soft_wrap=True, markup=False)
    good = "everybody sees one log" if not looked.away else "all who could be asked see one log"
    if not (looked.splits or looked.wrong):
        show.console.print(f"{'GOOD' if not looked.away else 'NOT FULLY CHECKED'}: {good}")


def _document(looked: Looked) -> dict[str, object]:
    return {
        "verdict": {0: "good", 1: "bad", 3: "not fully checked"}[looked.exit_code()],
        "views": [{"who": v.who, "size": v.said.size, "root": v.said.root.hex(), "seen": v.seconds} for v in looked.views],
        "splits": [
            {"who": [s.first.who, s.second.who], "why": s.why, "notes": [s.first.shown.decode(), s.second.shown.decode()]}
            for s in looked.splits
        ],
        "away": looked.away,
        "wrong": looked.wrong,
    }


def _keep(looked: Looked, folder: Path) -> None:
    """Both notes of each split: they are the proof, whoever made them."""
    try:
        for number, split in enumerate(looked.splits):
            folder.mkdir(parents=True, exist_ok=True)
            for name, one in (("a", split.first), ("b", split.second)):
                (folder / f"split-{number}-{name}").write_bytes(one.shown)
    except OSError as error:
        raise Rejected("folder", "--keep", f"{folder}: {error.strerror}") from None
