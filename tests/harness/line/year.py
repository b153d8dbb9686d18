"""A year of simulated cases lived on the real line, by the drill clock. `python -m tests.harness.line.year --help`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from referral.analysis.simulation.reactions import Live
from referral.cli.agency import case
from referral.cli.audit import export as audit_export
from referral.cli.audit import figures as audit_figures
from referral.cli.audit import keys, source
from referral.cli.stack import cast, up
from referral.domain import events as e
from referral.domain.durations import DAY_US, HOUR_US
from referral.domain.policy import Policy, compile
from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.proof import archive
from referral.proof.figures import recompute
from referral.runtime.keys import case_keys
from referral.runtime.postgres import database, figure_releases
from referral.runtime.settings import SERVICES
from referral.wire import policy_digest
from services.oversight.pages import downloads
from tests.harness.line.told_line import TEXTS, agreed, said
from tests.harness.line.year_line import Line
from tests.harness.line.year_people import Besides, Crowd, People
from tests.stories.teller import POLICY

FOLLOWED = 31 * DAY_US
"""After the last referrals: the last month closes."""
DESKS = ("focal-point", "back-up")


class Year:
    """lived: what was done, by word. cases: id → name; drills, twins and erased ones too."""

    def __init__(self, people: People, line: Line, policy: Policy, tell: Callable[[str], None]) -> None:
        self.people, self.line, self.policy, self.tell = people, line, policy, tell
        self.lived, self.moments, self.acts = Counter[str](), 0, 0
        self.twins: dict[str, str] = {}
        self.referrals: dict[str, str] = {}
        self.erased: list[str] = []

    async def live(self, until: int) -> None:
        """Until this moment, µs UTC."""
        started, told = time.monotonic(), 0
        while (moment := self.people.moment(until)) is not None:
            at, acts = moment
            self.people.now = await self.line.until(at)
            await self._all(acts)
            await self._hear()
            for live, _, item in acts:
                self.people.again(live, item)
            self.moments += 1
            if self.people.now - self.people.caseload.start >= told * 30 * DAY_US:
                told += 1
                self._progress(started)
                await self._erase()
        self.people.now = await self.line.until(until)
        await self._hear()
        self._progress(started)

    async def _hear(self) -> None:
        await self.line.quiet()
        heard = set[str]()
        for meta, event in await self.line.said():
            self.people.hears(meta.case_id, event, meta.recorded_at)
            self.lived[type(event).__name__] += 1
            heard.add(meta.case_id)
        self.people.heard(heard)

    def _progress(self, started: float) -> None:
        days = (self.people.now - self.people.caseload.start) // DAY_US
        cases = sum(not live.raised for live in self.people.known.values())
        self.tell(
            f"day {days:3}: {cases} cases, {len(self.people.known) - cases} complaints, {self.lived.total()} decisions told,"
            f" {self.moments} moments, {time.monotonic() - started:.0f} s"
        )

    async def _all(self, acts: list[tuple[Live, Struct, Struct]]) -> None:
        """Each case in its order, all cases at once."""
        cases: dict[int, list[tuple[Live, Struct]]] = {}
        for live, body, _ in acts:
            cases.setdefault(id(live), []).append((live, body))
        await asyncio.gather(*(self._in_turn(steps) for steps in cases.values()))

    async def _in_turn(self, steps: list[tuple[Live, Struct]]) -> None:
        for live, body in steps:
            self.lived[f"did {type(body).__name__}"] += 1
            self.acts += 1
            await self._act(live, body, f"{live.name}-{self.acts}")

    async def _act(self, live: Live, body: Any, key: str) -> None:
        """What an agency's system would send."""
        case = f"/v1/cases/{live.id}"
        match body:
            case e.ReferralSubmitted():
                await self._submit(live, body, key)
            case e.ResponseSubmitted():
                more: dict[str, Any] = {name: getattr(body, name) for name in ("reason", "code") if getattr(body, name)}
                if body.recorded and body.word is e.Word.DECIDE:
                    more["texts"] = {need: TEXTS[need] for need in body.recorded}
                await self.line.post(body.agency, f"/v1/offers/{body.offer_id}/responses", {"word": body.word.value, **more}, key)
            case e.TraitsChanged():
                await self.line.post(self._desk(live), f"{case}/traits", said(body.traits), key)
            case e.ConsentChanged():
                await self.line.post(self._desk(live), f"{case}/consent", agreed(body.consent), key)
            case e.ActorExcluded():
                await self.line.post(self._desk(live), f"{case}/exclusions", {"kind": body.kind.value, "actor": body.actor}, key)
            case e.InstructionGiven():
                order = {
                    "word": body.word.value,
                    "reason": body.reason,
                    "target": body.target,
                    "track_id": body.track_id,
                    "task_id": body.task_id,
                }
                place: dict[str, Any] = {"step": body.step, "seat": body.seat} if body.step else {}
                await self.line.post(
                    body.agency, f"{case}/instructions", {k: v for k, v in (order | place).items() if v not in ("", None)}, key
                )
            case Besides():
                await self._besides(live, body.what, key)
            case e.RungFailed():
                pass  # the notifier says that, and here everybody is on duty: nobody looks
            case _:
                raise AssertionError(f"no door takes {type(body).__name__}")

    async def _submit(self, live: Live, body: e.ReferralSubmitted, key: str) -> None:
        referral: dict[str, Any] = {"traits": said(body.traits), "file": {"identity": {"name": "Testa Shembull (made up)"}}}
        if body.consent is not None:
            referral["consent"] = agreed(body.consent)
        if live.name in self.people.drills:
            referral["drill"] = True
        receipt = await self.line.post(body.agency, "/v1/referrals", referral, key)
        live.id, self.referrals[live.name] = receipt["case_id"], receipt["referral_id"]
        self.people.known[live.id] = live

    async def _besides(self, live: Live, what: str, key: str) -> None:
        sender = self.people.agreed[live.name].agency
        if what == "withdraw":
            await self.line.post(sender, f"/v1/referrals/{self.referrals[live.name]}/withdrawal", {"reason": "no-longer-needed"}, key)
        elif what == "again":
            twin, body = self.people.comes_again(live)
            await self._act(twin, body, key)
            self.twins[live.name] = twin.id
        else:
            order = {"word": "LINK", "reason": "best-interest", "other": self.twins[live.name], "target": "same-person"}
            await self.line.post(self._desk(live), f"/v1/cases/{live.id}/instructions", order, key)

    def _desk(self, live: Live) -> str:
        """Of the place where the child is, else the one above."""
        assert live.case is not None
        first = self.policy.municipalities[live.case.traits.found_in].desk
        return self.policy.country_desk if f"agency:{first}" in live.case.excluded else first

    async def _erase(self) -> None:
        """The first case that has ended, and raised nothing: two persons of its desk."""
        ended = [live for live in self.people.known.values() if live.ended and live.case and not live.case.raised and not live.raised]
        if self.erased or not ended:
            return
        path, desk = f"/staff/cases/{ended[0].id}/erasure", self._desk(ended[0])
        first, second = (f"{desk}.{rung}" for rung in DESKS)
        keys = [case_keys.signing(file) for file in self.line.stack.addresses.approval_keys]
        body = case.request_body(keys[0], await self.line.state(first, path), "storage-ended")
        if not await self.line.person(first, path, body):
            return
        if await self.line.person(second, f"{path}/approval", case.approval_body(keys[1], await self.line.state(second, path))):
            self.erased.append(ended[0].id)


async def lived(stack: Stack, data: Path, cases: int, days: int, seed: int, tell: Callable[[str], None]) -> Year:
    """So many cases of so many days of the next whole year, and the time until their last month is closed."""
    policy = compile(policy_digest.read(POLICY))
    async with Line(stack, cast.load(data)) as line:
        year = time.gmtime(await line.now() / 1e6).tm_year + 1
        crowd = Crowd(policy=policy, seed=seed, world=0, cases=cases, year=year, days=days)
        made = Year(People(crowd, policy), line, policy, tell)
        until = crowd.start + days * DAY_US + FOLLOWED
        await made.live(until)
        await line.logged()
        await line.released(closed(crowd.start, until))
        return made


def closed(start: int, until: int) -> int:
    """How many months since then are closed by then; the first referral comes in the first hours of the first."""
    month, count = recompute.month_of(start), 0
    while recompute.close_of(month) + HOUR_US < until:
        month, count = recompute.next_month(month), count + 1
    return count


def export(stack: Stack, folder: Path) -> Path:
    """The whole log with all keys, and beside it the key that opens them. Waits for the witnesses."""
    key = folder.with_name(f"{folder.name}.key")
    keys.reader_command(key, as_json=False)
    with source.opened(None, where=stack.settings) as there:
        published = archive.trusted(there.archive, None)
        policy = there.archive.read(archive.POLICY)
        assert published is not None and policy is not None, "no checkpoint has its quorum"
        wanted = audit_export.Export(
            folder=folder,
            there=there.archive,
            published=published,
            policy=policy,
            keys=there.keys(None),
            auditor=source.public_key(key.with_name(f"{key.name}.pub")),
        )
        audit_export.write(wanted, lambda: None)
    return key


async def releases(stack: Stack, path: Path) -> Path:
    """All of them, as readers download them."""
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            path.write_bytes(downloads.figures_json(await figure_releases.published(tx)))
    finally:
        await engine.dispose()
    return path


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.line.year", description=__doc__)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, help="folder for the stack's data and the export; a new temporary one by default")
    wanted = parser.parse_args()
    into = wanted.into or Path(tempfile.mkdtemp(prefix="referral-year-"))
    async with up.running(StackConfig(data=into / "data", drill=True, witnesses=up.WITNESSES, services=SERVICES)) as stack:
        year = await lived(stack, into / "data", wanted.cases, wanted.days, wanted.seed, print)
        for word, count in sorted(year.lived.items()):
            print(f"{count:7} {word}")
        print(f"the doors refused {dict(year.line.refused)}")
        key = await asyncio.to_thread(export, stack, into / "export")
        told = await releases(stack, into / "releases.json")
        code = await asyncio.to_thread(audit_figures.figures_command, into / "export", release=str(told), key=key)
        print(f"the log: {into / 'export'}, opened by {key}")
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
