"""Positions and outbox of a batch are one commit: a failure between the two would lose a decision without a trace."""

from __future__ import annotations

import pytest

from tests.harness.line.runtime_stack import Stack
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
REFUSALS = 2
REFUSE = (
    "CREATE SEQUENCE routing.refusals",
    "CREATE FUNCTION routing.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
    f" IF nextval('routing.refusals') <= {REFUSALS} THEN RAISE 'the server ends' USING ERRCODE = 'admin_shutdown'; END IF;"
    " RETURN NEW; END $$",
    "CREATE TRIGGER refuse BEFORE INSERT ON routing.{table} FOR EACH ROW EXECUTE FUNCTION routing.refuse()",
)
"""Let a table refuse its first rows, as a server does that is told to end. A sequence counts them, because no rollback takes it back."""


@pytest.mark.parametrize("table", ["outgoing", "seen"])
async def test_a_batch_whose_last_row_is_refused_is_read_again_and_said_once(line: Stack, table: str) -> None:
    case = await line.case()
    for statement in REFUSE:
        await line.sql(statement.replace("{table}", table))
    await line.write(case, await line.value(case, 1), await line.value(case, 2))
    counter = line.counter()
    counter.start()

    async def said() -> bool:
        return [meta.case_seq for meta in await line.metas()] == [1, 2]

    await until(said)
    assert await line.sql("SELECT last_value FROM routing.refusals") >= [(REFUSALS + 1,)], "the table has refused"
    await counter.end()
