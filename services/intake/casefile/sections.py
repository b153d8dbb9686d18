"""The case file in SQL: personal facts by section, encrypted with a key that intake alone opens. Erasing that key erases the whole file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.runtime.keys.case_keys import CaseKeys
from referral.runtime.keys.secret_box import SecretBox
from referral.runtime.postgres import bulk
from services.intake.casefile import row_rights
from services.intake.casefile.disclosure_rules import CaseFacts
from services.intake.messages.timestamps import when
from services.intake.store import NEVER

SECTION = bulk.Table(
    "intake.section",
    {"case_id": "text", "section": "text", "version": "int", "agency": "text", "by": "text", "at": "bigint", "sealed": "bytea"},
)
_NEWEST = text(
    "SELECT DISTINCT ON (section) section, version, sealed FROM intake.section "
    "WHERE version > 0 AND case_id = :case_id AND section = ANY(CAST(:sections AS text[])) AND at > :after AND at <= :until "
    "ORDER BY section, version DESC"
)
_NUMBERS = text(
    "SELECT greatest(max(version), 0) + 1, least(min(version), 0) - 1, "
    "coalesce(max(version) FILTER (WHERE version > 0 AND at <= :until), 0) + 1 + "
    "count(*) FILTER (WHERE version < 0 AND agency = :agency AND by IS NULL AND at > :until) "
    "FROM intake.section WHERE case_id = :case_id AND section = :section"
)
_EVERY = text(
    "SELECT version, agency, by, at, sealed FROM intake.section "
    "WHERE case_id = :case_id AND section = :section AND at > :after ORDER BY version"
)
_OTHERS = text(
    "SELECT EXISTS (SELECT FROM intake.section WHERE case_id = :case_id AND section = :section AND agency <> :agency "
    "AND at > :after AND at <= :until AND version > 0)"
)
_RECORDED = text(
    "SELECT r.response_id, r.need, o.step, r.at, r.sealed FROM intake.recorded r JOIN intake.offer o ON o.offer_id = r.offer_id "
    "WHERE r.case_id = :case_id AND r.need = ANY(CAST(:needs AS text[])) AND r.at > :after AND r.at <= :until ORDER BY r.at, r.response_id"
)
_RECORD = text(
    "INSERT INTO intake.recorded (case_id, response_id, need, offer_id, at, sealed) "
    "VALUES (:case_id, :response_id, :need, :offer_id, :at, :sealed)"
)

SPOKE_TO = "spoke-to"
"""Need of a recorded text: whom the desk spoke to at an agency on the telephone. No step is shown it, and no event names it."""
_WRITTEN = text("SELECT count(*) FROM intake.section WHERE case_id = :case_id AND section = :section AND agency = :agency AND by IS NULL")
_SPOKEN = text("SELECT response_id, at, sealed FROM intake.recorded WHERE case_id = :case_id AND offer_id = :offer_id AND need = :need")


_ONE = text(
    "SELECT sealed FROM intake.section WHERE case_id = :case_id AND section = :section AND version = :version AND version > 0"
    " AND at > :after AND at <= :until"
)
_HISTORY = text(
    "SELECT s.section, s.version, s.agency, coalesce(a.login, ''), s.at FROM intake.section s LEFT JOIN intake.account a ON a.id = s.by "
    "WHERE s.case_id = :case_id AND s.section = ANY(CAST(:sections AS text[])) AND s.at > :after AND s.version > 0 "
    "ORDER BY s.section, s.version DESC"
)


class Writing(Struct, frozen=True, kw_only=True):
    """The making of one version. login: of the person; empty for a system. at: µs UTC."""

    version: int
    agency: str
    login: str
    at: int


class Version(Struct, frozen=True, kw_only=True):
    """One decrypted version of a section. version: below 0 where it was put aside."""

    version: int
    agency: str
    by: str | None
    at: int
    content: Any

    def __repr__(self) -> str:
        return f"Version({self.version})"


def box(keys: bytes) -> SecretBox:
    """Return what seals a case's file. keys: of the case, as intake loads them. ValueError: they are another reader's, without the
    file's key."""
    if not isinstance(keys, CaseKeys) or keys.file is None:
        raise ValueError("these keys open the case's events alone")
    return SecretBox("case file", keys.file)


def seal(cipher: SecretBox, plain: bytes, *context: str) -> bytes:
    """Return nonce ‖ AES-256-GCM. context: the place of the row; the same words are needed to decrypt it."""
    return cipher.seal(plain, "/".join(context).encode())


def unseal(cipher: SecretBox, sealed: bytes, *context: str) -> bytes:
    """Decrypt sealed bytes. Malformed(seal): another key, another place, or changed bytes."""
    return cipher.open(sealed, "/".join(context).encode())


def seal_facts(cipher: SecretBox, case_id: str, facts: CaseFacts) -> bytes:
    return seal(cipher, msgspec.msgpack.encode(facts), case_id, "standing")


def facts(cipher: SecretBox, case_id: str, sealed: bytes) -> CaseFacts:
    """Return the decrypted traits and consent of a case."""
    return msgspec.msgpack.decode(unseal(cipher, sealed, case_id, "standing"), type=CaseFacts)


def row(
    cipher: SecretBox, case_id: str, section: str, content: bytes, *, version: int, agency: str, by: str | None, at: int
) -> dict[str, Any]:
    """Return the row of one version of one section. content: canonical JSON."""
    sealed = seal(cipher, content, case_id, section, str(version))
    return {"case_id": case_id, "section": section, "version": version, "agency": agency, "by": by, "at": at, "sealed": sealed}


async def _rows(tx: AsyncConnection, leave: Permit, sql: TextClause, **values: object) -> Sequence[Any]:
    """Return the rows of a statement about the permit's case. PostgreSQL shows it no row of another one."""
    await row_rights.admit(tx, leave)
    return (await tx.execute(sql, {"case_id": leave.case_id, **values})).all()


async def write(tx: AsyncConnection, leave: Permit, row: dict[str, Any]) -> None:
    """Store a row made by `row`."""
    assert row["case_id"] == leave.case_id
    await row_rights.admit(tx, leave)
    await bulk.write(tx, {SECTION: [row]})


async def numbers(tx: AsyncConnection, leave: Permit, section: str, until: int) -> tuple[int, int, int]:
    """Return the next version of this section, for a writer that has locked the case; the number for content put aside, which never becomes
    the newest: -1, -2 and so on; and the next version as the permit's agency sees it, which sees others' until then (µs UTC)."""
    [(newest, aside, shown)] = await _rows(tx, leave, _NUMBERS, section=section, agency=leave.agency, until=until)
    return int(newest), int(aside), int(shown)


async def others_wrote(tx: AsyncConnection, leave: Permit, section: str, after: int, until: int) -> bool:
    """Return True if another agency than the permit's had written a section that is not sealed, until then (µs UTC)."""
    return bool((await _rows(tx, leave, _OTHERS, section=section, agency=leave.agency, after=after, until=until))[0][0])


async def written(tx: AsyncConnection, leave: Permit, section: str) -> int:
    """Return how many versions of a section the permit's agency has written without a person's account, also those put aside."""
    return int((await _rows(tx, leave, _WRITTEN, section=section, agency=leave.agency))[0][0])


async def versions(tx: AsyncConnection, leave: Permit, cipher: SecretBox, section: str, after: int) -> tuple[Version, ...]:
    """Return every version of a section, decrypted. As with `newest`, the caller records the reading."""
    rows = await _rows(tx, leave, _EVERY, section=section, after=after)
    return tuple(
        Version(
            version=version,
            agency=agency,
            by=by,
            at=at,
            content=msgspec.json.decode(unseal(cipher, bytes(sealed), leave.case_id, section, str(version))),
        )
        for version, agency, by, at, sealed in rows
    )


async def newest(
    tx: AsyncConnection, leave: Permit, cipher: SecretBox, sections: Iterable[str], after: int, until: int = NEVER
) -> dict[str, Any]:
    """Return the decrypted content of each of these sections that was filled. The caller records the reading in the same transaction.

    after: sections written until then are sealed, µs UTC. until: those written later are not shown.
    """
    rows = await _rows(tx, leave, _NEWEST, sections=list(sections), after=after, until=until)
    return {name: msgspec.json.decode(unseal(cipher, sealed, leave.case_id, name, str(version))) for name, version, sealed in rows}


async def latest(tx: AsyncConnection, leave: Permit, cipher: SecretBox, section: str, after: int) -> tuple[int, dict[str, Any]]:
    """Return number and content of the newest version of a section; (0, {}) for none. The caller has locked the case, and records a reading
    if it shows the content."""
    rows = await _rows(tx, leave, _NEWEST, sections=[section], after=after, until=NEVER)
    for _, number, sealed in rows:
        return int(number), msgspec.json.decode(unseal(cipher, sealed, leave.case_id, section, str(number)), type=dict[str, Any])
    return 0, {}


async def earlier(
    tx: AsyncConnection, leave: Permit, cipher: SecretBox, section: str, number: int, after: int, until: int = NEVER
) -> dict[str, Any]:
    """Return the content of one version; {} for version 0, and for one that is sealed or not shown (`after`, `until`: as of `newest`)."""
    rows = await _rows(tx, leave, _ONE, section=section, version=number, after=after, until=until)
    for (sealed,) in rows:
        return msgspec.json.decode(unseal(cipher, bytes(sealed), leave.case_id, section, str(number)), type=dict[str, Any])
    return {}


async def history(tx: AsyncConnection, leave: Permit, sections: Iterable[str], after: int) -> dict[str, tuple[Writing, ...]]:
    """Return who wrote each of these sections and when, the newest version first, without any content. Versions put aside are left out."""
    rows = await _rows(tx, leave, _HISTORY, sections=list(sections), after=after)
    found: dict[str, list[Writing]] = {}
    for section, version, agency, login, at in rows:
        found.setdefault(section, []).append(Writing(version=version, agency=agency, login=login, at=at))
    return {section: tuple(writings) for section, writings in found.items()}


async def recorded(
    tx: AsyncConnection, leave: Permit, cipher: SecretBox, needs: Iterable[str], after: int, until: int = NEVER
) -> dict[str, dict[str, Any]]:
    """Return the decrypted texts recorded with answers, in order: need → (time and step → text). As with `newest`, the caller records the
    reading."""
    texts: dict[str, dict[str, Any]] = {}
    for response_id, need, step, at, sealed in await _rows(tx, leave, _RECORDED, needs=list(needs), after=after, until=until):
        content = unseal(cipher, sealed, leave.case_id, response_id, need).decode()
        texts.setdefault(need, {})[f"{when(at)} {step}"] = content
    return texts


async def spoken(tx: AsyncConnection, leave: Permit, cipher: SecretBox, offer_id: str) -> dict[int, str]:
    """Return whom the desk spoke to about an offer: time of the answer, µs UTC → name or number. For the desk alone."""
    rows = await _rows(tx, leave, _SPOKEN, offer_id=offer_id, need=SPOKE_TO)
    return {at: unseal(cipher, sealed, leave.case_id, response_id, SPOKE_TO).decode() for response_id, at, sealed in rows}


async def record(
    tx: AsyncConnection, leave: Permit, cipher: SecretBox, texts: Mapping[str, str], *, response_id: str, offer_id: str, at: int
) -> None:
    """Store the texts that go with an answer, by need (reason, child-view, SPOKE_TO)."""
    rows = [
        {
            "case_id": leave.case_id,
            "response_id": response_id,
            "need": need,
            "offer_id": offer_id,
            "at": at,
            "sealed": seal(cipher, content.encode(), leave.case_id, response_id, need),
        }
        for need, content in texts.items()
    ]
    if rows:
        await row_rights.admit(tx, leave)
        await tx.execute(_RECORD, rows)
