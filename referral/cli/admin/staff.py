"""`referral staff`: manage the personal accounts of the inbox. `referral duty` manages how and when their owners are knocked."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, console
from referral.cli.admin import roster
from referral.cli.connection import run
from referral.errors import Rejected
from referral.proof.unlogged import Account
from referral.roster import accounts, changes, log
from referral.roster.accounts import Made
from referral.runtime import passwords, random_secret, settings
from referral.runtime.keys import case_keys
from referral.runtime.postgres import clock

Login = Annotated[str, typer.Argument(help="Name with which the person signs in; not their e-mail address.")]

_ADD = text(
    "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at) "
    "VALUES (:id, :login, :password, :agency, :language, :desk, :head, false, :at) ON CONFLICT (login) DO NOTHING RETURNING 1"
)
_INVITE = text(
    "INSERT INTO intake.invitation (account_id, digest, at) VALUES (:id, :digest, :at)"
    " ON CONFLICT (account_id) DO UPDATE SET digest = excluded.digest, at = excluded.at"
)
_PASSWORD = text("UPDATE intake.account SET password = :password WHERE login = :login RETURNING id")
_DISABLE = text("UPDATE intake.account SET disabled = :disabled WHERE login = :login RETURNING id")
_AGENCY = text("SELECT agency FROM intake.account WHERE id = :id")
_END = text("DELETE FROM intake.session WHERE account_id = :id")
_END_FEED = text("DELETE FROM intake.feed WHERE account_id = :id")
_END_CODE = text("UPDATE intake.invitation SET at = 0 WHERE account_id = :id")
_LIST = text(
    "SELECT id, login, agency, language, desk, disabled FROM intake.account "
    "WHERE CAST(:agency AS text) IS NULL OR agency = :agency ORDER BY agency, login"
)


def add_command(
    login: Login,
    agency: Annotated[str, typer.Option(help="Id of the agency, as in the directory.")],
    language: Annotated[str, typer.Option(help="sq, sr-Latn, sr-Cyrl or en.")] = "sq",
    desk: Annotated[bool, typer.Option("--desk", help="May work its desk's tasks and record telephone answers.")] = False,
    email: Annotated[str | None, typer.Option(help="Address for the owner's knocks; stored sealed. Needs --rung.")] = None,
    rung: Annotated[list[str] | None, typer.Option(help="The owner's rung in the agency's ladder; may be given several times.")] = None,
    head: Annotated[bool, typer.Option("--head", help="Manages the agency's people and rota in the inbox.")] = False,
    word: console.Word = "",
    as_json: console.Json = False,
) -> int:
    """Make an account and print its id. With --email and --rung its owner is knocked too; `referral duty` changes that later.

    It prints a code as well. Read it to its owner on the telephone: with it they set a password that nobody else knows, at /invitation of
    the inbox, within 15 minutes, once. `referral staff password` makes the next code.

    Exit 0 made, 1 refused, 2 the database is down.

    Example: referral staff add besa.k --agency police-prizren --email besa@example.org --rung duty-officer --head
    """
    found = settings.load()
    login = passwords.new_login(login)
    passwords.language(language)
    if (email is None) != (not rung):
        raise Rejected("incomplete", "--rung", "give --email and --rung together, or neither")
    rungs = roster.rungs(found, roster.agency(found, agency), rung or ())
    values = {"id": str(uuid.uuid4()), "login": login, "agency": agency, "language": language, "desk": desk, "head": head}  # noqa: TID251
    values["password"] = passwords.hashed(random_secret.made())
    code = random_secret.spoken_code()

    async def work(tx: AsyncConnection, _: list[str]) -> None:
        now = await clock.now(tx)
        if (await tx.execute(_ADD, {**values, "at": now})).scalar() is None:
            raise Rejected("login-taken", "login", "choose another login, or enable the account that has it")
        await _invite(tx, str(values["id"]), code)
        if email is not None:
            async with log.change(tx, found):
                box = case_keys.read(found)
                await changes.add_person(tx, box, account=str(values["id"]), agency=agency, rungs=rungs, email=email)
        for word in (Made.INVITED, *((Made.HEAD,) if head else ())):
            await _log(tx, found, str(values["id"]), agency, word)

    made = Account(str(values["id"]), agency, desk, head, False)
    administration.change(found, "staff add", work, *made.subjects(), f"agency:{agency}", word=word)
    account = {name: values[name] for name in ("id", "login", "agency", "language", "desk", "head")} | {"code": code}
    if as_json:
        return console.document(account)
    console.say(f"{values['id']} is the account of {login} at {agency}")
    print(f"{code} is the code with which its owner sets the password at /invitation, within 15 minutes, once")
    return 0


def password_command(login: Login, word: console.Word = "", as_json: console.Json = False) -> int:
    """Take an account's password away, and print a code with which its owner sets another; its owner is signed out everywhere.

    Call the owner at a number that you have from elsewhere, and read the code to them. It is good for 15 minutes, once, at /invitation of
    the inbox. Nobody can sign in with the old password any more, and the log says who had it taken away.

    Exit 0 done, 1 no such account, 2 the database is down.

    Example: referral staff password besa.k
    """
    found, login, code = settings.load(), passwords.login(login), random_secret.spoken_code()

    async def work(tx: AsyncConnection, about: list[str]) -> None:
        account, agency = await _ended(tx, _PASSWORD, {"login": login, "password": passwords.hashed(random_secret.made())}, about)
        await _invite(tx, account, code)
        await _log(tx, found, account, agency, Made.INVITED)

    administration.change(found, "staff password", work, word=word)
    if as_json:
        return console.document({"login": login, "code": code})
    print(f"{code} is the code with which the owner of {login} sets another password at /invitation, within 15 minutes, once")
    return 0


def disable_command(login: Login) -> int:
    """Disable an account: nobody can sign in with it, its open sessions end at once, and its owner is not knocked.

    The address of its calendar and the code of its invitation are worth nothing any more, also after `enable`.

    Exit 0 done, 1 no such account, 2 the database is down.

    Example: referral staff disable besa.k
    """
    return _switched("staff disable", login, disabled=True)


def enable_command(login: Login, word: console.Word = "") -> int:
    """Undo disable.

    Exit 0 done, 1 no such account, 2 the database is down.

    Example: referral staff enable besa.k
    """
    return _switched("staff enable", login, disabled=False, word=word)


def list_command(agency: Annotated[str | None, typer.Option(help="Only of this agency.")] = None, as_json: console.Json = False) -> int:
    """List the accounts.

    Exit 0 listed, 2 the database is down.

    Example: referral staff list --agency police-prizren
    """
    if agency is not None:
        roster.agency(settings.load(), agency)

    async def work(tx: AsyncConnection) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in (await tx.execute(_LIST, {"agency": agency})).all()]

    accounts = run(settings.load(), work)
    if as_json:
        return console.document(accounts)
    columns = ("id", "login", "agency", "language", "desk", "disabled")
    return console.table(columns, [tuple(account[name] for name in columns) for account in accounts])


def _switched(command: str, login: str, *, disabled: bool, word: str = "") -> int:
    found, login = settings.load(), passwords.login(login)

    async def work(tx: AsyncConnection, about: list[str]) -> None:
        account, agency = await _ended(tx, _DISABLE, {"login": login, "disabled": disabled}, about)
        for statement in (_END_FEED, _END_CODE):
            await tx.execute(statement, {"id": account})
        async with log.change(tx, found):
            await changes.set_disabled(tx, account, disabled)
        await _log(tx, found, account, agency, Made.OFF if disabled else Made.ON)

    administration.change(found, command, work, word=word)
    console.say(f"{login} is {'disabled' if disabled else 'enabled'}")
    return 0


async def _ended(tx: AsyncConnection, statement: TextClause, values: dict[str, object], about: list[str]) -> tuple[str, str]:
    """Change an account, end its sessions, and return its id and agency. Rejected: nobody has this login."""
    account = (await tx.execute(statement, values)).scalar()
    if account is None:
        raise Rejected("unknown-login", "login", "no account has this login; see `referral staff list`")
    agency = str((await tx.execute(_AGENCY, {"id": account})).scalar_one())
    about += (f"account:{account}", f"agency:{agency}")
    await tx.execute(_END, {"id": account})
    return str(account), agency


async def _invite(tx: AsyncConnection, account: str, code: str) -> None:
    """Store the code with which the owner of an account sets the password."""
    at = random_secret.in_a_call(await clock.now(tx))
    await tx.execute(_INVITE, {"id": account, "digest": random_secret.typed_digest(code), "at": at})


async def _log(tx: AsyncConnection, found: settings.Settings, account: str, agency: str, made: Made) -> None:
    keys = case_keys.read(found)
    by = log.pseudonym(keys, log.operator())
    await accounts.log(tx, keys, agency=agency, account=account, made=made, by=by, drill=found.drill_clock)
