"""`referral audit monitor`: compare the checkpoints that all witnesses show, with one another and with the log, to find a split view."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer
from msgspec import Struct, field

from referral.cli import console
from referral.cli.audit import source
from referral.domain.local_time import moment
from referral.errors import Malformed, Rejected
from referral.proof.heartbeat import FRESH_S
from referral.runtime import settings, tls
from referral.tlog import merkle, note, split_view, tile_layout, tiles, witness_policy
from referral.tlog.note_keys import VerifierKey
from referral.tlog.split_view import Split, View
from referral.tlog.witness_policy import Accepted, Policy

TIMEOUT_S = 10.0
"""Limit for one whole answer (ours): a server that sends a byte now and then counts as down too."""
MOST_BYTES = 64 * 1024
"""Largest answer (ours): a tile has 8 KB."""
AGAIN_S = 10.0
"""Pause between two requests for a proof that the log has not shown (ours)."""
PATIENCE_S = 300
"""Limit for a log to prove that one head continues another (ours: an upgrade or a restart takes less); then it counts as a split view."""
MISSING = "it answers 404"
LOG = "the log"

Witnesses = Annotated[
    Path,
    typer.Option("--trust", "--witnesses", help="trust.toml or C2SP policy file: the log's key, and the witnesses with their addresses."),
]
Url = Annotated[str, typer.Option("--log", envvar="REFERRAL_AUDIT_URL", help="Address of the log.")]
Every = Annotated[float | None, typer.Option("--every", min=1, help="Repeat after this many seconds, until Ctrl-C or a fault.")]
Keep = Annotated[Path | None, typer.Option("--keep", help="Folder for every note received: two of them may prove a split view.")]
MaxAge = Annotated[
    float, typer.Option("--max-age", min=0, help="Minutes within which a quorum of witnesses must have seen the log. 0: of any age.")
]
Patience = Annotated[
    float, typer.Option("--patience", min=0, help="Seconds for which the log may fail to show that one head continues another.")
]


def monitor_command(
    witnesses: Witnesses,
    log: Url = "https://localhost:8084",
    every: Every = None,
    keep: Keep = None,
    max_age: MaxAge = FRESH_S / 60,
    patience: Patience = PATIENCE_S,
    as_json: console.Json = False,
) -> int:
    """Compare the views of all witnesses with one another and with the log: two heads that no one tree has are a split view.

    Run it beside the log, or better at an agency or the Ombudsperson, who need nothing else of this system.

    A log that does not prove that one head continues another is asked again until --patience is over; then it counts as a split view.

    Exit 0 everybody sees one log, 1 a split view, a false signature, a log that has stopped or does not prove continuity, 2 the policy file
    cannot be used, 3 a party did not answer.

    Example: referral audit monitor --trust trust.toml --log https://audit.example
    """
    try:
        policy = witness_policy.parse(source.rules(witnesses) or b"")
    except Malformed as error:
        raise typer.BadParameter(f"{witnesses}: {error}") from None
    if len(policy.logs) != 1:
        raise typer.BadParameter(f"{witnesses}: it names {len(policy.logs)} logs; one is watched at a time")
    since: float | None = None
    while True:
        looked, now = asyncio.run(poll(policy, log, int(max_age * 60))), time.monotonic()
        if keep is not None:
            _keep(looked, keep)
        since = None if not looked.unled else now if since is None else since
        silent = 0.0 if since is None else now - since
        code, line = verdict(looked, silent, patience)
        waits = not every and code == 3 and bool(looked.unled)
        if waits:
            console.errors.print(f"{line}; it is asked again for {int(patience - silent)} seconds", soft_wrap=True, markup=False)
        else:
            _tell(looked, code, line, as_json)
        if not waits and (not every or code == 1):
            return code
        time.sleep(every or min(AGAIN_S, max(0.0, patience - silent)))


async def poll(policy: Policy, log: str, max_age: int = FRESH_S) -> MonitorRound:
    """Query log and witnesses at once, and compare their answers.

    max_age: seconds within which a quorum must have seen the log; 0: any age.
    """
    own = policy.logs[0].key
    origin = hashlib.sha256(own.name.encode()).hexdigest()
    asked: list[tuple[str, str, VerifierKey | None]] = [(LOG, f"{log.rstrip('/')}/checkpoint", None)]
    asked += [(w.name, f"{w.url.rstrip('/')}/checkpoint/{origin}", w.key) for w in policy.witnesses if w.url]
    looked = MonitorRound(away={w.name: "the policy names no address" for w in policy.witnesses if not w.url})
    async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=tls.outward(settings.read().tls)) as client:
        answers = await asyncio.gather(*(_get(client, url) for _, url, _ in asked))
        published = answers[0]
        for (who, _, key), answer in zip(asked, answers, strict=True):
            if answer == MISSING and key is not None and isinstance(published, bytes):
                _lent(who, key, published, own, looked)
            elif isinstance(answer, str):
                looked.away[who] = answer
            else:
                _shown(who, key, answer, own, looked)
        _fresh(policy, looked, max_age)
        looked.splits.extend(split_view.same_size(looked.views))
        for older, newer in itertools.pairwise(split_view.sizes(looked.views)):
            await _continues(client, log, older, newer, looked)
    return looked


def _shown(who: str, key: VerifierKey | None, answer: bytes, own: VerifierKey, looked: MonitorRound) -> None:
    looked.notes.append((who, answer))
    try:
        looked.views.append(split_view.view(who, answer, own, key))
    except Malformed as error:
        looked.wrong[who] = str(error)


def _lent(who: str, key: VerifierKey, published: bytes, own: VerifierKey, looked: MonitorRound) -> None:
    """Use the log's own checkpoint for a witness that implements only C2SP's add-checkpoint: its last signature is there or nowhere."""
    try:
        looked.views.append(split_view.view(who, published, own, key))
        looked.lent.add(who)
    except Malformed:
        looked.away[who] = f"{MISSING}, and no signature of it stands under the log's checkpoint"


def _fresh(policy: Policy, looked: MonitorRound, max_age: int) -> None:
    """Check that the published checkpoint has its quorum, and that the quorum has seen it within max_age."""
    now = int(time.time())  # noqa: TID251 - the watcher's own clock measures the age of a signature
    for shown in looked.views:
        if shown.who == LOG:
            try:
                accepted = witness_policy.accept(policy, note.parse(shown.shown))
            except Malformed as error:
                looked.wrong[LOG] = f"it publishes a checkpoint without its quorum: {error}"
                return
            break
    else:
        seen = {view.who: view.seconds for view in looked.views if view.seconds is not None}
        if not looked.views or not policy.satisfied(seen.keys()):
            return  # too few have answered; `away` names the others
        accepted = Accepted(looked.views[0].said, seen, witness_policy.quorum_at(policy, seen))
    if max_age and accepted.seen is not None:
        looked.still = accepted.old(now, max_age)


async def _continues(client: httpx.AsyncClient, log: str, older: View, newer: View, looked: MonitorRound) -> None:
    """Check from the log's own tiles that the newer head continues the older one. A log that cannot show the tiles has no proof."""
    size = newer.said.size
    wanted = tile_layout.for_spans(merkle.consistency_spans(older.said.size, size), size) if older.said.size else ()
    found = await asyncio.gather(*(_get(client, f"{log.rstrip('/')}/{tile.path}") for tile in wanted))
    held = {tile: data for tile, data in zip(wanted, found, strict=True) if isinstance(data, bytes)}
    if len(held) < len(wanted):
        why = next(data for data in found if isinstance(data, str))
        if why == MISSING:
            looked.wrong[LOG] = f"it has signed {size} entries ({newer.who} shows it) and does not hold them: it was cut, or set back"
        else:
            looked.unled.append(Unconnected(older, newer, why))
        return
    try:
        split = split_view.continues(older, newer, tiles.nodes(held.__getitem__, size))
    except Malformed as error:
        looked.wrong[LOG] = str(error)
        return
    if split is not None:
        looked.splits.append(split)


async def _get(client: httpx.AsyncClient, url: str) -> bytes | str:
    """Return the content, or the reason that there is none."""
    try:
        async with asyncio.timeout(TIMEOUT_S), client.stream("GET", url) as answer:
            data = b""
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > MOST_BYTES:
                    return "its answer has no end"
            return data if answer.status_code == 200 else f"it answers {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return f"{type(error).__name__}"


def _tell(looked: MonitorRound, code: int, line: str, as_json: bool) -> None:
    if as_json:
        console.document(_document(looked, code, line))
        return
    rows = [
        (
            f"{v.who} (as the log shows it)" if v.who in looked.lent else v.who,
            f"{v.said.size:,}",
            v.said.root.hex()[:16],
            "" if v.seconds is None else moment(v.seconds * 1_000_000),
        )
        for v in looked.views
    ]
    rows += [(who, "", "", f"NOT ASKED: {why}") for who, why in looked.away.items()]
    rows += [(who, "", "", f"WRONG: {why}") for who, why in looked.wrong.items()]
    console.table(("who", "entries", "root", "seen"), rows)
    for split in looked.splits:
        console.say(f"SPLIT VIEW: {split.first.who} and {split.second.who}: {split.why}")
    console.say(line)


def _document(looked: MonitorRound, code: int, line: str) -> dict[str, object]:
    return {
        "verdict": {0: "good", 1: "bad", 3: "not fully checked"}[code],
        "says": line,
        "views": [
            {"who": v.who, "size": v.said.size, "root": v.said.root.hex(), "seen": v.seconds, "own": v.who not in looked.lent}
            for v in looked.views
        ],
        "splits": [
            {"who": [s.first.who, s.second.who], "why": s.why, "notes": [s.first.shown.decode(), s.second.shown.decode()]}
            for s in looked.splits
        ],
        "not_shown": [str(unled) for unled in looked.unled],
        "still": looked.still,
        "away": looked.away,
        "wrong": looked.wrong,
    }


def _keep(looked: MonitorRound, folder: Path) -> None:
    """Store every note as received, badly signed ones too: only later is it known which note is needed as proof."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for who, shown in looked.notes:
            name = f"{re.sub('[^A-Za-z0-9.-]', '-', who)}-{hashlib.sha256(shown).hexdigest()[:16]}"
            (folder / name).write_bytes(shown)
    except OSError as error:
        raise Rejected("folder", "--keep", f"{folder}: {error.strerror}") from None


class Unconnected(Struct, frozen=True):
    """Two heads for which the log has not shown that the newer continues the older. why: the error."""

    older: View
    newer: View
    why: str

    def __str__(self) -> str:
        newer, older = f"{self.newer.said.size} entries ({self.newer.who})", f"{self.older.said.size} ({self.older.who})"
        return f"the log has not shown that {newer} continue {older}: {self.why}"


class MonitorRound(Struct):
    """The views of one round.

    away: party → the reason that it could not be queried. wrong: party → the fault in the signatures that it shows.
    unled: pairs of heads that the log has not connected. still: why the log may have stopped. lent: witnesses without a view of their own,
    represented by their signature under the log's checkpoint. notes: (party, bytes exactly as received).
    """

    views: list[View] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    away: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    unled: list[Unconnected] = field(default_factory=list)
    still: str = ""
    lent: set[str] = field(default_factory=set)
    notes: list[tuple[str, bytes]] = field(default_factory=list)


def verdict(looked: MonitorRound, silent: float, patience: float) -> tuple[int, str]:
    """Return the exit code and one line. silent: seconds for which the log has not connected its heads. patience: the limit for that."""
    unled = "; ".join(map(str, looked.unled))
    if looked.splits:
        two = looked.splits[0]
        return 1, f"BAD: a split view: {two.first.who} and {two.second.who}: {two.why}"
    if looked.wrong:
        who, why = next(iter(looked.wrong.items()))
        return 1, f"BAD: {who}: {why}"
    if unled and silent >= patience:
        return 1, f"BAD: for {int(silent)} seconds {unled}. Until it does, take it for a split view"
    if looked.still:
        return 1, f"BAD: the log stands still: {looked.still}"
    if unled:
        return 3, f"NOT FULLY CHECKED: {unled}. Nothing says that they are heads of one log"
    if looked.away:
        return 3, f"NOT FULLY CHECKED: {_compared(looked)}. Not asked: {', '.join(looked.away)}"
    if looked.lent:
        names = ", ".join(sorted(looked.lent))
        other = f"What {names} has seen was taken from the log: another history shown to it alone is not seen here"
        return 0, f"GOOD: everybody who shows a view sees one log. {other}"
    return 0, "GOOD: everybody sees one log"


def _compared(looked: MonitorRound) -> str:
    """Describe the views of those who answered."""
    names = [view.who for view in looked.views]
    if len(names) < 2:
        return f"{names[0]} alone showed a view, so it was compared with nobody" if names else "nobody showed a view"
    heads = sorted({view.said.size for view in looked.views})
    led = f"one head of {heads[0]} entries" if len(heads) == 1 else f"heads of {heads[0]} to {heads[-1]} entries, each led to the next"
    return f"{', '.join(names)} show {led}"
