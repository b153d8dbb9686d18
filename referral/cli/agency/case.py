"""`referral case`: show one case to its agencies, give a desk's instruction, and erase or hold a case under a personal login."""

from __future__ import annotations

import os
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral.cli import console, second_operator
from referral.client import Client, Json
from referral.domain.case_number import case_number
from referral.domain.local_time import moment
from referral.domain.signers import NAME
from referral.errors import Rejected
from referral.runtime.keys import case_keys
from referral.wire.signed import erasure_approval, trust


def show_case(case_id: str, url: console.Url = console.DEFAULT_URL, token: console.Token = "", as_json: console.Json = False) -> int:
    """Show the case as a timeline: each request, the agency asked, and its state.

    Exit 0 shown, 1 no such case for your agency, 2 intake cannot be reached.

    Example: referral case show CASE
    """
    with console.client(url, token) as client:
        case = client.case(case_id)
    if as_json:
        return console.document(case)
    console.say(f"case {case_number(case_id)} ({case_id}) · {case.get('state', '')}")
    rows = [(moment(e.get("at")), e.get("what", ""), e.get("step", ""), e.get("agency", ""), e.get("detail", "")) for e in case["timeline"]]
    return console.table(("when", "what", "step", "agency", "detail"), rows)


def instruct(
    case_id: str,
    word: Annotated[
        str, typer.Argument(help="OFFER, TRANSFER, RELEASE, SETTLE, OVERTAKEN, STOP, RESUME, CLOSE, REOPEN, LINK, CONFIRM or REFUSE.")
    ],
    reason: Annotated[str, typer.Option(help="Coded reason.")],
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    track: Annotated[str, typer.Option(help="Track id.")] = "",
    step: Annotated[str, typer.Option(help="Step of the pathway.")] = "",
    seat: Annotated[int, typer.Option(help="Seat of the step.")] = 0,
    target: Annotated[str, typer.Option(help="Service to ask, or code to settle.")] = "",
    other: Annotated[str, typer.Option(help="The other case of a link.")] = "",
    task: Annotated[str, typer.Option(help="Id of the task that a CONFIRM or REFUSE answers, or that a RESUME settles alone.")] = "",
    as_json: console.Json = False,
) -> int:
    """Decide, as the case's desk, what no rule could.

    Exit 0 received, 1 refused, 2 intake cannot be reached.

    Example: referral case instruct CASE OFFER --reason best-interest --step shelter --target shelter-linden.beds
    """
    given = {"word": word.upper(), "reason": reason, "track_id": track, "step": step, "seat": seat, "target": target, "other": other}
    given |= {"task_id": task}
    with console.client(url, token) as client:
        receipt = client.instruct(case_id, {name: value for name, value in given.items() if value != ""})
    return console.answer(as_json, receipt, f"{word.upper()} received; `referral case show {case_id}` shows what it led to")


Login = Annotated[str, typer.Option("--login", help="Your own account of the inbox; it works its desk (`referral staff add … --desk`).")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read your password from standard input instead of asking.")]
Basis = Annotated[str, typer.Option("--basis", help="Legal basis: a word of the list hold-basis in policy/codes.yaml.")]


class Person(Client):
    """The connection of one person, signed in with their own login."""

    @classmethod
    def of(cls, url: str, login: str, from_input: bool) -> Self:
        """Ask for the password and connect. The password is never an argument, because other users of the machine can see arguments."""
        if from_input:
            password = sys.stdin.readline().rstrip("\r\n")
        else:
            password = str(typer.prompt(f"password of {login}", hide_input=True, err=True))
        if not login or ":" in login or not password:
            raise Rejected("missing", "--login", "say who you are: your login, and your password when asked")
        try:
            (login + password).encode()
        except UnicodeEncodeError:  # a byte that is no text of this shell
            raise Rejected(
                "malformed", "--login", "login or password is no UTF-8: look at the settings of this shell, or of the pipe"
            ) from None
        try:
            client = cls(url, "", authority=console.believed())
        except ValueError as error:
            raise typer.BadParameter(f"--url: {error}") from None
        del client._http.headers["Authorization"]
        client._http.auth = httpx.BasicAuth(login, password)
        return client

    def ask(self, path: str) -> Json:
        return self._get(path)

    def tell(self, path: str, body: Json) -> Json:
        return self._send("POST", path, body)


ApproverKey = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="REFERRAL_APPROVAL_KEYS",
        help="File of your own key (`referral case key`), with which you sign. A local stack has both: the first asks, the last approves.",
    ),
]


def key_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An office and a number, no person's name, as desk-prizren-1.")],
    file: Annotated[Path, typer.Option("--file", help="File of your secret key; made if missing, readable by its owner alone.")],
    as_json: console.Json = False,
) -> int:
    """Show your key for erasures, made if it is not there: the line for `trust.toml`, which every service and auditor has.

    Run it on your own machine: the secret key never leaves it, and nobody else may have it. An erasure needs two such people.

    Exit 0 shown, 2 the name or the file cannot be used.

    Example: referral case key desk-prizren-1 --file my-erasures.key
    """
    if not NAME.fullmatch(name):
        raise typer.BadParameter("NAME: an office and a number: a to z, digits and hyphens, at most 63")
    return second_operator.show_own_key(file, as_json, lambda key: trust.person_line("approvers", name, key), approver=name)


def signing(keys: str, approving: bool) -> Ed25519PrivateKey | None:
    """Return the key of whoever asks or approves; None: none is given. keys: files. Rejected: a file holds no key."""
    files = keys.split(os.pathsep) if keys else []
    return case_keys.signing(Path(files[-1 if approving else 0])) if files else None


def request_body(key: Ed25519PrivateKey | None, state: Json, basis: str) -> Json:
    """Return the body that asks for the erasure of a case. state: of its erasure, as intake displays it to this person."""
    if key is None:
        return Json(basis=basis)
    return Json(basis=basis, signature=_written(key.sign(erasure_approval.request(state["case_id"], basis, state["you"]))))


def approval_body(key: Ed25519PrivateKey | None, state: Json) -> Json:
    """Return the body that approves the erasure of a case. state: as for a request."""
    if key is None:
        return Json()
    of = (state["case_id"], state["basis"], state["you"], state["requested_by"], b64decode(state["requested_signature"]))
    return Json(signature=_written(key.sign(erasure_approval.approval(*of))))


def _written(signature: bytes) -> str:
    return b64encode(signature).decode()


def erase(
    case_id: str,
    login: Login,
    basis: Annotated[str, typer.Option(help="Request it on this legal basis: a word of erasure-basis in policy/codes.yaml.")] = "",
    approve: Annotated[bool, typer.Option("--approve", help="Approve another person's request. It cannot be undone.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse another person's request.")] = False,
    keys: ApproverKey = "",
    url: console.Url = console.DEFAULT_URL,
    from_input: FromInput = False,
    as_json: console.Json = False,
) -> int:
    """Erase a case: one person requests it, another approves it, each with a personal account.

    Without --basis, --approve or --refuse: show the state of its erasure. Each person signs with an own key (--key), on their own machine.
    The entry in the log comes first. Once a published checkpoint covers it, the case
    opens for nobody; a day later rows and key are destroyed. An open or held case cannot be erased.

    Exit 0 done or shown, 1 refused, 2 intake cannot be reached.

    Example: referral case erase CASE --login besa.k --basis storage-ended
    """
    if sum((bool(basis), approve, refuse)) > 1:
        raise typer.BadParameter("one person asks (--basis), another approves or refuses: one at a time")
    path = f"/staff/cases/{case_id}/erasure"
    with Person.of(url, login, from_input) as person:
        key = signing(keys, approve) if basis or approve else None
        erasure = person.ask(path) if not refuse else Json()
        if basis:
            erasure = person.tell(path, request_body(key, erasure, basis))
        elif approve:
            erasure = person.tell(f"{path}/approval", approval_body(key, erasure))
        elif refuse:
            erasure = person.tell(f"{path}/refusal", {})
    return console.answer(as_json, erasure, _said(erasure))


def erase_refused(
    login: Login,
    basis: Annotated[str, typer.Option(help="Request all of them on this legal basis: a word of erasure-basis in policy/codes.yaml.")] = "",
    approve: Annotated[bool, typer.Option("--approve", help="Approve what others have requested. It cannot be undone.")] = False,
    keys: ApproverKey = "",
    url: console.Url = console.DEFAULT_URL,
    from_input: FromInput = False,
    as_json: console.Json = False,
) -> int:
    """Erase what your desk refused to confirm, such as a flood of made-up reports: one person requests it, another approves it.

    Each case is asked for, approved, logged and destroyed by itself, as with `referral case erase`. A case that is held, or whose erasure
    somebody has refused, stays.

    Exit 0 done, 1 refused, 2 intake cannot be reached.

    Example: referral case erase-refused --login besa.k --basis entered-in-error
    """
    if bool(basis) == approve:
        raise typer.BadParameter("one person asks (--basis), another approves (--approve): one at a time")
    path, body, key = "approval" if approve else "erasure", Json() if approve else Json(basis=basis), signing(keys, approve)
    done, signatures = list[Json](), dict[str, str]()
    with Person.of(url, login, from_input) as person:
        while (said := person.tell(f"/staff/refused/{path}", body | Json(signatures=signatures)))["erasures"] or said["unsigned"]:
            if said["unsigned"] and key is None:
                raise Rejected("not-signed", "--key", "each erasure is signed: name the file of your own key")
            done += said["erasures"]
            for one in said["unsigned"]:
                signatures[one["case_id"]] = (approval_body(key, one) if approve else request_body(key, one, basis))["signature"]
            for one in said["erasures"]:
                signatures.pop(one["case_id"], None)
    if as_json:
        return console.document(done)
    then = "logged first, destroyed a day later" if approve else "now another person approves them: --approve"
    console.say(f"{len(done)} erasures {'approved' if approve else 'asked for'}; {then}")
    return 0


def hold(
    case_id: str,
    login: Login,
    basis: Basis,
    url: console.Url = console.DEFAULT_URL,
    from_input: FromInput = False,
    as_json: console.Json = False,
) -> int:
    """Place a hold on a case: nobody has it erased until another person lifts it.

    Exit 0 held, 1 refused, 2 intake cannot be reached.

    Example: referral case hold CASE --login besa.k --basis criminal-proceedings
    """
    return _hold(f"/staff/cases/{case_id}/holds", "is held", login, basis, url, from_input, as_json)


def lift(
    case_id: str,
    login: Login,
    basis: Basis,
    url: console.Url = console.DEFAULT_URL,
    from_input: FromInput = False,
    as_json: console.Json = False,
) -> int:
    """Lift a hold. Only a person other than the one who placed it may lift it.

    Exit 0 lifted, 1 refused, 2 intake cannot be reached.

    Example: referral case lift CASE --login arta.m --basis criminal-proceedings
    """
    return _hold(f"/staff/cases/{case_id}/holds/lifting", "is held no longer", login, basis, url, from_input, as_json)


def erasures(login: Login, url: console.Url = console.DEFAULT_URL, from_input: FromInput = False, as_json: console.Json = False) -> int:
    """List the erasures at your desk that wait: for approval, the log, or a day.

    Exit 0 listed, 1 refused, 2 intake cannot be reached.

    Example: referral case erasures --login arta.m
    """
    with Person.of(url, login, from_input) as person:
        waiting: list[dict[str, Any]] = person.ask("/staff/erasures")["erasures"]
    if as_json:
        return console.document(waiting)
    for line in map(_said, waiting) if waiting else ("nothing waits at your desk",):
        console.say(line)
    return 0


def _hold(path: str, what: str, login: str, basis: str, url: str, from_input: bool, as_json: bool) -> int:
    with Person.of(url, login, from_input) as person:
        held = person.tell(path, {"basis": basis})
    return console.answer(as_json, held, f"case {held['case_id']} {what} ({held['basis']})")


def _said(erasure: Json) -> str:
    case_id, basis = erasure["case_id"], erasure["basis"]
    match erasure["state"]:
        case "REQUESTED":
            line = f"case {case_id}: erasure asked for ({basis}) by {erasure['requested_by']}; now another person approves it"
        case "REFUSED":
            line = f"case {case_id}: the erasure is refused"
        case "APPROVED":
            line = f"case {case_id}: erasure approved ({basis}); no door shows the case; it is destroyed a day after it is logged"
        case "ERASED":
            line = f"case {case_id} is erased ({basis}); `referral audit verify` names the entry"
        case _:
            line = f"case {case_id}: nobody has asked for its erasure"
    return f"{line}; kept by: {', '.join(erasure['held'])}" if erasure["held"] else line
