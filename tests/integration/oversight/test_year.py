"""Some weeks lived on the real line, released by the real Faust worker, and computed again from the log by hand: equal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.cli.audit import figures as audit_figures
from referral.cli.stack import up
from referral.domain.events import Mark
from referral.local.config import StackConfig
from referral.runtime.postgres import database, figure_releases
from referral.runtime.settings import SERVICES, Settings
from services.oversight.disclosure.suppress import K
from services.oversight.release import Release, digest
from tests.harness import made_releases
from tests.harness.line.year import export, lived, releases
from tests.harness.servers import prefix

pytestmark = [pytest.mark.servers, pytest.mark.long]
LIVED = ("CaseOpened", "OfferAcknowledged", "OfferAccepted", "OfferArrived", "OfferEscalated", "DeadlinePassed", "CaseRaised")
LIVED += ("CaseLinked", "DecisionRecorded", "NeedsPerson", "CaseClosed", "did Besides", "did ConsentChanged", "did InstructionGiven")


async def running() -> int:
    """What the auditor's command says of the releases of the running system."""
    return await asyncio.to_thread(audit_figures.figures_command, release="all", as_json=True)


async def show_another(settings: Settings) -> None:
    """Who may do anything in the database changes what the pages show, digest and all; the log has what was released."""
    engine = database.admin(settings)
    async with engine.begin() as tx:
        one = (await figure_releases.published(tx))[0]
        shown = next(figure for figure in one.figures if figure.mark is Mark.SHOWN)
        figures = [structs.replace(shown, value=(shown.value or 0) + K) if figure is shown else figure for figure in one.figures]
        other = Release(structs.replace(one.made, digest=digest(figures)), tuple(figures))
        await tx.execute(text("ALTER TABLE oversight.release DISABLE TRIGGER USER"))
        row = made_releases.row(other)
        await tx.execute(text("UPDATE oversight.release SET made = :made, figures = :figures WHERE number = 1"), row)
    await engine.dispose()


async def test_what_is_released_of_a_lived_year_is_what_its_log_says(
    tmp_path: Path, kafka: str, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, folder = tmp_path / "data", tmp_path / "export"
    config = StackConfig(data=data, kafka=kafka, ca=ca, prefix=prefix(), drill=True, witnesses=up.WITNESSES, services=SERVICES)
    async with up.running(config) as stack:
        year = await lived(stack, data, cases=60, days=45, seed=10, tell=lambda _: None)
        assert not {word for word in LIVED if not year.lived[word]}, year.lived
        assert year.erased and year.people.drills and year.twins
        key = await asyncio.to_thread(export, stack, folder)
        told = await releases(stack, tmp_path / "releases.json")
        for name, value in (("DATABASE", stack.settings.database), ("KAFKA", kafka), ("MASTER_KEY_FILE", stack.settings.master_key_file)):
            monkeypatch.setenv(f"REFERRAL_{name}", str(value))
        assert await running() == 0
        await show_another(stack.settings)
        assert await running() == 1

    def compared(which: Path | str, opened_by: Path | None = key) -> int:
        return audit_figures.figures_command(folder, release=str(which), key=opened_by, as_json=True)

    assert compared(told) == compared("all") == 0, "what was downloaded, and what the log holds"
    assert compared(told, None) == 3
    published = json.loads(told.read_bytes())
    shown = next(figure for figure in published[0]["figures"] if figure["mark"] == "SHOWN")
    shown["value"] += 1
    (changed := tmp_path / "changed.json").write_text(json.dumps(published))
    assert compared(changed) == 1
