"""PostgreSQL shows intake's own role a row of the case file by permit for its case alone, whatever a statement asks for."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act, Relation
from referral.errors import Misconfigured
from referral.runtime import bootstrap
from referral.runtime.keys.secret_box import SecretBox
from referral.runtime.postgres import bulk, database, rights
from referral.runtime.settings import Settings
from services.intake.casefile import row_rights, sections
from tests.harness import permits
from tests.harness.engines import by_hand, connecting

pytestmark = pytest.mark.servers

MINE, OTHER, CIPHER = "case-1", "case-2", SecretBox("case file", b"k" * 32)
SEEN = {
    "sections": "SELECT count(*) FROM intake.section",
    "texts": "SELECT count(*) FROM intake.recorded",
    "by its id": f"SELECT count(*) FROM intake.section WHERE case_id = '{OTHER}'",
    "through a join": "SELECT count(*) FROM (VALUES (1)) AS one CROSS JOIN intake.section s WHERE s.version > 0",
    "as exists": "SELECT CAST(EXISTS (SELECT FROM intake.section) AS int)",
}
"""Statements of a bug, or of who writes into a statement of ours: none names the permit's case."""


def leave(act: Act, case_id: str) -> Permit:
    return permits.leave(act, case_id, "police")


async def stored(tx: AsyncConnection) -> None:
    """Open two cases, as a door does without a permit for either, and record a text in each."""
    rows = [sections.row(CIPHER, case, "narrative", b'{"text":"x"}', version=1, agency="school", by=None, at=1) for case in (MINE, OTHER)]
    await bulk.write(tx, {sections.SECTION: rows})
    for case in (MINE, OTHER):
        await sections.record(tx, leave(Act.ANSWER, case), CIPHER, {"reason": "y"}, response_id=f"r-{case}", offer_id="o", at=1)


async def asked(tx: AsyncConnection) -> dict[str, int]:
    """Return what each statement finds; what it deletes comes back."""
    found = {}
    for name, sql in SEEN.items():
        async with tx.begin_nested() as undone:
            found[name] = (await tx.execute(text(sql))).scalar_one()
            await undone.rollback()
    return found


async def refused(tx: AsyncConnection, sql: str) -> bool:
    try:
        async with tx.begin_nested():
            await tx.execute(text(sql))
    except DBAPIError as error:
        return "row-level security" in str(error)
    return False


async def test_without_a_permit_no_row_is_seen_and_with_one_those_of_its_case(bare: Settings) -> None:
    async with connecting(database.engine(bare, "intake")) as tx:
        await stored(tx)
        await tx.commit()
        assert set((await asked(tx)).values()) == {0}
        await row_rights.admit(tx, leave(Act.READ_FILE, MINE))
        assert await asked(tx) == {**dict.fromkeys(SEEN, 1), "by its id": 0}
        await row_rights.admit(tx, permits.RESTORED, [MINE, OTHER])
        assert set((await asked(tx)).values()) == {1, 2}
        await row_rights.admit(tx, permits.RESTORED)
        assert set((await asked(tx)).values()) == {0}, "a worker that names no case"
        await row_rights.admit(tx, leave(Act.READ_FILE, MINE))
        await tx.commit()
        assert set((await asked(tx)).values()) == {0}, "a permit ends with its transaction"
        assert await sections.newest(tx, leave(Act.READ_FILE, MINE), CIPHER, ["narrative"], 0) == {"narrative": {"text": "x"}}
        later = "INSERT INTO intake.section (case_id, section, version, agency, at, sealed) VALUES ('{}', 'narrative', {}, 'x', 2, '')"
        assert await refused(tx, later.format(OTHER, 2)) and await refused(tx, later.format(OTHER, -1))
        assert not await refused(tx, later.format(MINE, 2))
        assert await refused(tx, "INSERT INTO intake.recorded VALUES ('case-2', 'r', 'reason', 'o', 1, '')")


async def test_the_eraser_deletes_the_rows_of_the_cases_that_it_names_and_reads_none(bare: Settings) -> None:
    async with connecting(database.engine(bare, "intake")) as tx:
        await stored(tx)
        await tx.commit()
    async with connecting(database.engine(bare, "eraser")) as tx:
        for table in ("section", "recorded"):
            gone = f"DELETE FROM intake.{table} WHERE case_id = ANY(ARRAY['{MINE}', '{OTHER}'])"
            assert (await tx.execute(text(gone))).rowcount == 0, "without a permit"
            await tx.execute(text("SELECT set_config('referral.permit', :case, true)"), {"case": MINE})
            assert (await tx.execute(text(gone))).rowcount == 1
            with pytest.raises(DBAPIError, match="permission denied"):
                await tx.execute(text(f"SELECT sealed FROM intake.{table}"))
            await tx.rollback()


async def test_nobody_names_cases_beside_their_permit(bare: Settings) -> None:
    async with connecting(database.engine(bare, "intake")) as tx:
        await stored(tx)
        await row_rights.admit(tx, leave(Act.READ_FILE, MINE), [OTHER])
        assert (await asked(tx))["by its id"] == 0
        with pytest.raises(ValueError, match="about no case"):
            await row_rights.admit(tx, permits.own("police"), [OTHER])
        with pytest.raises(AssertionError):
            row = sections.row(CIPHER, OTHER, "narrative", b"{}", version=2, agency="police", by=None, at=2)
            await sections.write(tx, permits.leave(Act.WRITE_SECTION, MINE, "police", is_=Relation.HOLDER), row)


async def test_a_service_whose_row_rights_are_off_does_not_start_and_prepare_gives_them_back(bare: Settings) -> None:
    async with by_hand(bare) as tx:
        assert await rights.differences(tx) == []
        await tx.exec_driver_sql("ALTER TABLE intake.section DISABLE ROW LEVEL SECURITY")
        await tx.exec_driver_sql("CREATE POLICY everything ON intake.recorded USING (true)")
        words = ["intake.section shows every row", "intake.recorded has the row policies: everything, permitted"]
        assert sorted(await rights.differences(tx)) == sorted(words)
        with pytest.raises(Misconfigured, match=r"the role intake could see rows without a permit"):
            await rights.check(tx, "intake")
        await rights.check(tx, "audit")
    await bootstrap.prepare_database(bare)
    async with by_hand(bare) as tx:
        assert await rights.differences(tx) == []
        await rights.check(tx, "intake")
