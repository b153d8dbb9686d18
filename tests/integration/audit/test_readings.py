"""Nobody opens a case of the log, and nobody is lent a key, before the log has an entry of it; without audit nothing is shown."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import httpx
import pytest
from msgspec import UNSET, structs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referral.cli import connection
from referral.domain.durations import DAY_US
from referral.errors import Malformed, Unavailable, Unproven
from referral.local import keyfiles
from referral.proof import act
from referral.proof.act import Act
from referral.proof.entry import Entry, Kind
from referral.proof.reading import How, Reading, parse
from referral.proof.verify.log import verify
from referral.runtime.postgres import acts as act_rows
from referral.runtime.postgres import readings, stored_code
from referral.runtime.postgres.tokens import AUDITOR_TOKEN_DAYS, AUDITORS, digest
from referral.runtime.settings import Settings
from tests.harness.engines import beginning, connecting
from tests.harness.line import audit_stack
from tests.harness.programs import command
from tests.harness.waiting import until
from tests.integration.audit.test_pages import Door, opened

pytestmark = pytest.mark.servers
TOKEN = act.token(digest("a-token"))


def unwrapped(said: str) -> str:
    """Without the spaces and ends of lines by which a timeline is wrapped."""
    return "".join(said.split())


async def logged(settings: Settings) -> list[Reading]:
    async with connecting(audit_stack.database.admin(settings)) as tx:
        return [parse(entry.value) for entry in [e async for e in connection.entries(tx)] if entry.kind is Kind.READING]


async def signed_in(door: Door) -> httpx.AsyncClient:
    await door.http.post("/auditor/signin", data={"token": door.token})
    return door.http


async def stopped(settings: Settings) -> None:
    """Audit is away: nobody owns the log."""
    async with beginning(audit_stack.database.admin(settings)) as tx:
        await tx.execute(text("UPDATE audit.lease SET owner = NULL"))


async def test_a_case_on_the_page_is_an_entry_first_and_the_pages_list_it(bare: Settings) -> None:
    async with opened(bare) as door:
        page = await door.get(f"/auditor/cases/{door.case_id}")
        assert "is asked (police)" in page
        assert await logged(bare) == [Reading(reader="ombudsperson", how=How.PAGE, cases=(door.case_id,), token=TOKEN)]
        nobody = "00000000-0000-4000-8000-000000000000"
        assert "no entry of this case" in await door.get(f"/auditor/cases/{nobody}")
        assert len(await logged(bare)) == 1, "of a case that is not there nothing is opened, and no id that somebody typed is logged"
        listed = await door.get("/auditor/readings")
        assert "ombudsperson" in listed and door.case_id in listed and "on this page" in listed
        for language, word in (("sq", "Kush hapi raste"), ("sr-Latn", "Ko je ovde"), ("sr-Cyrl", "Ко је овде")):
            await door.http.post("/auditor/language", data={"language": language, "from": "/auditor/readings"})
            assert word in html.unescape((await door.http.get("/auditor/readings")).text)


async def test_a_reading_under_somebodys_name_leads_to_the_operators_who_made_that_token(bare: Settings) -> None:
    """An operator typed "ombudsperson2", made a token and read: the reading stood under that name, and led to nobody else."""
    async with opened(bare) as door:
        here = structs.replace(bare, kafka="127.0.0.1:9")
        code, said = await command(here, "audit", "token", "ombudsperson2", "--json")
        assert code == 0, said
        token = json.loads(said)["token"]
        subject = act.token(digest(token))
        door.token = token
        assert "is asked (police)" in await door.get(f"/auditor/cases/{door.case_id}")
        assert [one.token for one in await logged(bare)] == [subject]
        listed = await door.get("/auditor/readings")
        assert re.search(rf"ombudsperson2 {subject} made by operator/keeper, entry \d+", listed), listed
        code, said = await command(here, "audit", "replay", "--type", "READING")
        assert code == 0 and unwrapped(f"with {subject}, which operators made") in unwrapped(said), said
        async with connecting(audit_stack.database.admin(bare)) as tx:
            entries = [e async for e in connection.entries(tx)]
        (note,) = [f for f in verify(entries, {}).findings if f.code == "READ"]
        assert subject in note.what


def test_a_reading_of_before_has_no_token_and_its_bytes_are_the_same() -> None:
    before = b'{"cases":["c"],"how":"PAGE","lent":"","reader":"committee"}'
    assert parse(before).encode() == before and parse(before).token is UNSET
    with pytest.raises(Malformed, match="token"):
        parse(b'{"cases":[],"how":"PAGE","lent":"","reader":"committee","token":"a name"}')


async def test_without_an_entry_the_page_shows_nothing(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "WAIT_S", 0.3)
    async with opened(bare) as door:
        http = await signed_in(door)
        await stopped(bare)
        answer = await http.get(f"/auditor/cases/{door.case_id}", headers={"accept-language": "en"})
        assert answer.status_code == 503 and "could not record" in answer.text and "is asked" not in answer.text
        async with connecting(audit_stack.database.admin(bare)) as tx:
            assert (await tx.execute(text("SELECT count(*) FROM audit.reading"))).scalar_one() == 0, "nobody waits for it any more"
        assert await logged(bare) == []


async def test_the_commands_that_open_cases_of_the_running_system_are_entries_first(bare: Settings, tmp_path: Path) -> None:
    async with opened(bare) as door:
        here = structs.replace(bare, kafka="127.0.0.1:9")

        async def referral(*words: str) -> tuple[int, str]:
            return await command(here, "audit", *words)

        assert (await referral("reader", str(tmp_path / "auditor.key")))[0] == 0
        (tmp_path / "policy").write_bytes(keyfiles.policy(audit_stack.KEY.verifier, []))
        policy = ("--witnesses", str(tmp_path / "policy"))
        lend = ("export", str(tmp_path / "export"), "--case", door.case_id, "--for", str(tmp_path / "auditor.key.pub"), *policy)
        code, said = await referral("replay", "--case", door.case_id)
        assert code == 0 and "is asked (police)" in said, said
        code, said = await referral(*lend)
        assert code == 0, said
        code, said = await referral("replay", "--type", "POLICY")
        assert code == 0, said
        replayed, lent = await logged(bare)
        assert replayed == Reading(reader="operator", how=How.REPLAY, cases=(door.case_id,))
        assert (lent.how, lent.cases) == (How.EXPORT, (door.case_id,)) and re.fullmatch("[0-9a-f]{64}", lent.lent)
        code, said = await referral("replay", "--type", "READING")
        assert code == 0 and "the operator lends the keys of case" in said, said

        async with connecting(audit_stack.database.admin(bare)) as tx:
            entries = [e async for e in connection.entries(tx)]
        read = [f for f in verify(entries, {}).findings if f.code == "READ"]
        assert [f.idx for f in read] == [e.idx for e in entries if e.kind is Kind.READING] and door.case_id in read[0].what

        await stopped(bare)
        for words in (("replay", "--case", door.case_id), (*lend[:1], str(tmp_path / "second"), *lend[2:])):
            code, said = await referral(*words)
            assert code == 2 and said.count("\n") == 1 and "records each reading" in said and "is asked" not in said, said
        assert not (tmp_path / "second").exists(), "no key was lent, and no entry handed out"
        code, said = await referral("export", str(tmp_path / "third"), *policy)
        assert code == 0, said
        code, said = await referral("replay", str(tmp_path / "export"), "--case", door.case_id, "--key", str(tmp_path / "auditor.key"))
        assert code == 0 and "is asked (police)" in said, "whoever has an export reads it without us"
        assert len(await logged(bare)) == 2


async def test_an_act_is_an_entry_once_also_when_audit_was_away(bare: Settings) -> None:
    async with opened(bare), connecting(audit_stack.database.admin(bare)) as tx:
        here = structs.replace(bare, kafka="127.0.0.1:9")

        async def acts() -> list[Act]:
            return [act.parse(e.value) for e in [e async for e in connection.entries(tx)] if e.kind is Kind.ADMINISTRATION]

        async def told(count: int) -> bool:
            return len(await acts()) == count

        assert (await command(here, "audit", "token", "court-prizren"))[0] == 0
        await until(lambda: told(1))
        await stopped(bare)
        assert (await command(here, "audit", "token", "court-prizren", "--end"))[0] == 0
        await act_rows.put(tx, b'{"command":"by hand"}')
        await tx.commit()
        assert await told(1), "it waits in its table"
        async with beginning(audit_stack.database.admin(bare)) as again:
            await again.execute(audit_stack.OWNED, {"me": bare.instance})
        await until(lambda: told(2))
        made, ended = await acts()
        assert [made.command, ended.command] == ["audit token"] * 2 and set(ended.about) - set(made.about) == {"ended:court-prizren"}
        assert made.by == "operator/keeper" and made.about[0] == "office:court-prizren" and made.arguments != ended.arguments
        waiting = (await tx.execute(text("SELECT value FROM audit.act WHERE idx IS NULL"))).scalars().all()
        assert waiting == [b'{"command":"by hand"}'], "what no command has written gets into no log, and stays"
        await tx.commit()  # nobody empties a table that somebody reads
        for change in ("DELETE FROM audit.act", "UPDATE audit.act SET idx = 0", "UPDATE audit.act SET value = ''", "TRUNCATE audit.act"):
            with pytest.raises(DBAPIError, match="append-only"):
                async with beginning(audit_stack.database.admin(bare)) as other:
                    await other.execute(text(change))
        code, said = await command(here, "audit", "replay", "--type", "ADMINISTRATION")
        assert code == 0 and unwrapped(said).count(unwrapped("operator/keeper: `referral audit token`, about office:court-prizren")) == 2, (
            said
        )


ANSWERS = "BEGIN SELECT max(idx) {minus} INTO NEW.idx FROM audit.entry; RETURN NEW; END"
"""A trigger of the administrator: the row says at once that it is logged, in an entry that is another's."""


@pytest.mark.parametrize("minus", ["", "+ 1", "- 1000"])
async def test_a_row_that_says_it_is_logged_opens_nothing(bare: Settings, minus: str) -> None:
    reading = Reading(reader="committee", how=How.PAGE).encode()
    async with opened(bare) as door, connecting(audit_stack.database.admin(bare)) as tx:
        assert await readings.record(tx.engine, reading) > 0
        async with beginning(audit_stack.database.admin(bare)) as admin:
            body = ANSWERS.format(minus=minus)
            await admin.execute(text(f"CREATE FUNCTION audit.answers() RETURNS trigger LANGUAGE plpgsql AS '{body}'"))
            await admin.execute(text("CREATE TRIGGER answers BEFORE INSERT ON audit.reading FOR EACH ROW EXECUTE FUNCTION audit.answers()"))
        with pytest.raises(Unproven, match="in audit's place"):
            await readings.record(tx.engine, reading)
        http = await signed_in(door)
        answer = await http.get(f"/auditor/cases/{door.case_id}", headers={"accept-language": "en"})
        assert answer.status_code == 503 and "could not record" in answer.text and "is asked" not in answer.text
        code, said = await command(structs.replace(bare, kafka="127.0.0.1:9"), "audit", "replay", "--case", door.case_id)
        assert code == 1 and "nothing was opened" in said and "is asked" not in said, said
        assert len(await logged(bare)) == 1
        assert await stored_code.differences(tx) == [
            "audit.answers(): no migration made it", "trigger answers on audit.reading: no migration made it"
        ]  # fmt: skip


async def test_what_is_no_reading_gets_into_no_log_for_ever(bare: Settings) -> None:
    async with opened(bare), connecting(audit_stack.database.admin(bare)) as tx:
        with pytest.raises(Unavailable):
            await readings.record(tx.engine, b'{"reader":"a name","how":"BY HAND"}')
        assert await readings.record(tx.engine, Reading(reader="committee", how=How.PAGE).encode()) > 0
        assert [one.reader for one in await logged(bare)] == ["committee"]


def test_a_changed_reading_is_bad() -> None:
    entry = Entry(idx=0, kind=Kind.READING, topic="", partition=-1, offset=-1, kafka_time=0, key=None, value=b"x", sha256=b"")
    assert "cannot be read" in next(f.what for f in verify([entry], {}).findings if f.code == "BODY")


@pytest.mark.parametrize(("days", "valid"), [(AUDITOR_TOKEN_DAYS - 1, True), (AUDITOR_TOKEN_DAYS, False)])
async def test_an_auditors_token_ends_by_itself(bare: Settings, days: int, valid: bool) -> None:
    async with opened(bare) as door:
        http = await signed_in(door)
        async with beginning(audit_stack.database.admin(bare)) as tx:
            await tx.execute(text("UPDATE audit.reader SET made_at = runtime.clock() - :age"), {"age": days * DAY_US})
            assert [token.ended_at for token in await AUDITORS.read(tx)] == [None]
        assert (await http.get("/auditor")).status_code == (200 if valid else 303)
        assert (await http.get("/tile/entries/000.p/9", headers={"authorization": f"Bearer {door.token}"})).status_code in (
            (200, 404) if valid else (401,)
        )
