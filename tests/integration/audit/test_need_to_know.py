"""The cells of the need-to-know matrix at audit's and oversight's pages: each opens to its own token, and to no other and no session."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

import httpx
import pytest
from sqlalchemy import text

from referral.runtime.settings import Settings
from tests.harness.need_to_know import matrix
from tests.harness.need_to_know.matrix import DOOR, OUTSIDE
from tests.integration.audit.test_pages import opened as audit
from tests.integration.oversight.test_pages import FILES, PATHS
from tests.integration.oversight.test_pages import opened as oversight

pytestmark = pytest.mark.servers
TOKENS = {"nobody": "", "asked": "", "system": "token-of-police", "auditor": "a-token", "oversight": "token-c"}
"""Asker → token, of those who differ here: everybody who is signed in at the inbox has the same cookie for these pages, none."""
EXPECTED = {"": (303, "/oversight/country"), "/nothing": (404, "")}
"""Status and location of what a reader of oversight is not shown; everything else is."""
INBOX = {"cookie": "session=made-up.1-x; visit=made-up"}


async def signed(http: httpx.AsyncClient, home: str, token: str) -> Mapping[str, str]:
    """The headers of somebody who has tried to sign in with a token."""
    answer = await http.post(f"{home}/signin", data={"token": token}) if token else None
    http.cookies.clear()
    cookies = [one.partition(";")[0] for one in answer.headers.get_list("set-cookie")] if answer is not None else []
    return {"cookie": "; ".join((*cookies, INBOX["cookie"])), "accept-language": "en"}


async def test_audit_opens_to_auditors_alone(bare: Settings) -> None:
    async with audit(bare) as door:
        async with door.made.engine.connect() as tx:
            event = (await tx.execute(text("SELECT event_id FROM entry WHERE event_id LIKE '%-%-%' ORDER BY idx LIMIT 1"))).scalar_one()
        case, unknown = f"/auditor/cases/{door.case_id}", f"/auditor/cases/{uuid.uuid4()}"
        for name, token in TOKENS.items():
            headers = await signed(door.http, "/auditor", token)
            found, never = [await door.http.get(path, headers=headers) for path in (case, unknown)]
            bearer = {"authorization": f"Bearer {token}"} if token else {}
            entry, none = [
                await door.http.get(path, headers=bearer) for path in (f"/tile/entries/000.p/{len(door.log.entries)}", "/tile/entries/009")
            ]
            proof, other = [await door.http.get(f"/proofs/{id}", headers=bearer) for id in (event, uuid.uuid4())]
            reports = [await door.http.get(f"/exercises/{id}", headers=bearer) for id in (door.case_id, uuid.uuid4())]
            assert reports[0].status_code == 401 and reports[0].content == reports[1].content, "intake alone asks for these"
            if name == "auditor":
                assert (found.status_code, never.status_code) == (200, 404) and door.case_id in found.text
                assert (entry.status_code, proof.status_code, other.status_code) == (200, 200, 404)
                assert matrix.row("audit").cells[name] == matrix.row("entries").cells[name] == "L"
                continue
            assert matrix.row("audit").cells[name] == DOOR, name
            for answer in (
                found,
                never,
                await door.http.get("/auditor", headers=headers),
                await door.http.get("/auditor/x", headers=headers),
            ):
                assert (answer.status_code, answer.headers["location"], answer.content) == (303, "/auditor/signin", b""), name
            assert (entry.status_code, entry.content) == (none.status_code, none.content) == (401, none.content), name
            assert (proof.status_code, proof.content) == (other.status_code, other.content) == (401, other.content), name


async def test_oversight_opens_to_its_readers_alone_and_has_figures_alone(bare: Settings) -> None:
    async with oversight(bare) as door:
        for name, token in TOKENS.items():
            headers = await signed(door.http, "/oversight", token)
            for path in ("", *PATHS, *FILES, "/nothing"):
                answer = await door.http.get(f"/oversight{path}", headers=headers)
                if name == "oversight":
                    led = answer.headers.get("location", "")
                    assert (answer.status_code, led) == EXPECTED.get(path, (200, "")), path
                    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", answer.text), "no id of a case"
                    continue
                assert matrix.row("figures").cells[name] == DOOR, name
                assert (answer.status_code, answer.headers["location"]) == (303, "/oversight/signin"), (name, path)
                if token:
                    refused = await door.http.get(f"/oversight{path}", headers={"authorization": f"Bearer {token}"})
                    assert (refused.status_code, refused.content) == (401, b""), (name, path)
        assert {matrix.row("figures").cells[name] for name in OUTSIDE if name != "oversight"} == {DOOR}
