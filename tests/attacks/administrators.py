"""Attacks by one operator who does alone what takes two: through the command, which refuses, and past it by the administrator's password,
with an act that they write into the table themselves. (F8 of the review.)"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec import UNSET, structs

from referral.proof.act import Act
from referral.proof.entry import Kind
from referral.wire.signed import operator_word
from services.audit.ingest import Says, ingest
from tests.attacks.ground import Attack, Noticed, copy, verify
from tests.harness import made_log
from tests.harness.audit_log import Log
from tests.harness.two_operators import AT, BESA, FIRST, KEEPER, LINES, OPERATORS, SALT, SECOND, STRANGER, TERMS, act

PAST = "one operator, with the administrator's password"
COMMAND, VERIFY = "the command", "verify"


def logged(*acts: Act) -> Noticed:
    """The acts stand in the table, behind the one that made the stack, and audit logs them."""
    log = Log()
    says = [Says(Kind.KEYS, made_log.policy() + LINES), FOUNDED, *(Says(Kind.ADMINISTRATION, one.encode()) for one in acts)]
    log.entries += ingest([], log._known, says).entries
    return {VERIFY: verify(copy(log.entries), keys=log.keys)}


def alone(command: str, *about: str) -> Act:
    """An act without a second operator's word."""
    return structs.replace(act(command=command, about=about), second=UNSET, signature=UNSET)


FOUNDED = Says(Kind.ADMINISTRATION, structs.replace(alone("prepare", "policy:1"), id="f" * 32).encode())
"""The first act of a log: it makes the stack, with the policy of the beginning."""


def two_desk_members() -> Noticed:
    """Two passwords of a desk taken away, to use both codes."""
    return logged(*(structs.replace(alone("staff password", f"account:a{n}"), id=str(n) * 32) for n in (1, 2)))


def refused(key: str) -> Noticed:
    """The command itself, with a word that no other operator gave for it. key: whose word, or what is wrong with it."""
    by, now = {"own": KEEPER, "stranger's": STRANGER}.get(key, BESA), AT + (2 * operator_word.LASTS_S if key == "ended" else 0)
    message = operator_word.give(by, FIRST, "staff password", TERMS, SALT, AT)
    word = operator_word.taken(OPERATORS, FIRST, "staff password", message)
    terms = b'["staff password",[["login","another"]]]' if key == "for another account" else TERMS
    return {COMMAND: operator_word.refusal(FIRST, terms, message, word, now)}


def attacks() -> Iterator[Attack]:
    past = (
        ("two desk members' passwords taken away", two_desk_members),
        ("a certificate of a service signed", lambda: logged(alone("ca sign", "certificate:service/intake"))),
        ("every table rebuilt from the topics", lambda: logged(alone("recover"))),
        ("a second operator's word forged with the own key", lambda: logged(act(other=KEEPER))),
        ("the own word, in an act in the other's name", lambda: logged(act(by=SECOND, key=KEEPER, second=FIRST, other=KEEPER))),
        ("a word that was used, in another act", lambda: logged(act(), structs.replace(act(), id="b" * 32).signed(KEEPER))),
        ("a word for another command", lambda: logged(act(command="ca sign", given="staff password"))),
        ("a word of last week", lambda: logged(act(at=AT + 604_800))),
        ("an act dated back into a word's hour, and changed", lambda: logged(structs.replace(act(), about=("account:b2",)))),
    )
    for what, run in past:
        yield Attack(what=f"{what}, past the command", power=PAST, must=(VERIFY,), blamed="operator/", run=run)
    for key in ("own", "stranger's", "ended", "for another account"):
        yield Attack(what=f"a password taken away on a word: {key}", power=PAST, must=(COMMAND,), run=partial(refused, key))
