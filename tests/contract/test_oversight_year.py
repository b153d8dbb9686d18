"""Some weeks lived on the real line, released by the real Faust worker, and computed again from the log by hand: equal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from referral.cli import audit_figures, up
from referral.local.wish import Wish
from referral.runtime.settings import SERVICES
from tests.contract.year import export, lived, releases
from tests.servers import prefix

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(900)]
LIVED = ("CaseOpened", "OfferAcknowledged", "OfferAccepted", "OfferArrived", "OfferEscalated", "DeadlinePassed", "CaseRaised")
LIVED += ("CaseLinked", "DecisionRecorded", "NeedsPerson", "CaseClosed", "did Besides", "did ConsentChanged", "did InstructionGiven")


async def test_what_is_released_of_a_lived_year_is_what_its_log_says(tmp_path: Path, kafka: str) -> None:
    data, folder = tmp_path / "data", tmp_path / "export"
    wish = Wish(data=data, kafka=kafka, prefix=prefix(), drill=True, witnesses=up.WITNESSES, services=SERVICES)
    async with up.running(wish) as stack:
        year = await lived(stack, data, cases=60, days=45, seed=10, tell=lambda _: None)
        assert not {word for word in LIVED if not year.lived[word]}, year.lived
        assert year.erased and year.people.drills and year.twins
        key = await asyncio.to_thread(export, stack, folder)
        told = await releases(stack, tmp_path / "releases.json")

    def compared(which: Path, opened_by: Path | None = key) -> int:
        return audit_figures.figures_command(folder, release=str(which), key=opened_by, as_json=True)

    assert compared(told) == 0
    assert compared(told, None) == 3
    published = json.loads(told.read_bytes())
    shown = next(figure for figure in published[0]["figures"] if figure["mark"] == "SHOWN")
    shown["value"] += 1
    (changed := tmp_path / "changed.json").write_text(json.dumps(published))
    assert compared(changed) == 1
