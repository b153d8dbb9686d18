"""Name the codes of a case's history in the reader's language: by the newest policy bundle of the log that two signers signed.

A name helps to read and proves nothing: the page shows the logged code beside it.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.concurrency import run_in_threadpool

from referral.domain.events import PolicyActivated
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.errors import Malformed, NewerVersion
from referral.proof.entry import entry, plain
from referral.proof.history.words import Name, Texts, as_logged
from referral.wire.signed.policy_signature import Believed, Trusted

NEWEST = text("SELECT coalesce(max(idx), -1) FROM audit.entry WHERE kind = 'POLICY'")
BUNDLES = text("SELECT idx, leaf, key, value, headers FROM audit.entry WHERE kind = 'POLICY' ORDER BY idx")


class CodeNames:
    """The names of one process, compiled again when the log has a further bundle. trusted: the policy keepers of `trust.toml`."""

    def __init__(self, trusted: Trusted) -> None:
        self._trusted = trusted
        self._read: tuple[int, Policy | None] = (-1, None)

    async def policy(self, tx: AsyncConnection) -> Policy | None:
        """Return the policy whose names hold; None where no bundle is believed: codes stay codes."""
        newest = int((await tx.execute(NEWEST)).scalar_one())
        if newest != self._read[0]:
            bodies = list[PolicyActivated]()
            for row in await tx.execute(BUNDLES):
                with suppress(Malformed, NewerVersion, msgspec.DecodeError):
                    headers = msgspec.msgpack.decode(row.headers, type=tuple[tuple[str, bytes], ...])
                    body = plain(entry(row.idx, row.leaf, row.key, row.value, headers))
                    if isinstance(body, PolicyActivated):
                        bodies.append(body)
            self._read = newest, await run_in_threadpool(_compiled, bodies, self._trusted)
        return self._read[1]


def _compiled(bodies: list[PolicyActivated], trusted: Trusted) -> Policy | None:
    """Return the newest believed bundle that compiles."""
    believed = Believed(trusted=trusted)
    for body in reversed([body for body in bodies if not believed.take(body)]):
        with suppress(PolicyErrors):
            return policy.compile(body.files)
    return None


def names(rules: Policy | None, texts: Texts, language: str) -> Name:
    """Return the names of codes: those that staff read, and ours for codes that the policy does not name.

    target: of an instruction, a service or a decision. outcome: how a step ended, or the decision that it ended with.
    """
    if rules is None:
        return as_logged

    def name(kind: str, code: str) -> str:
        of = {"target": "agency" if "." in code else "decision", "outcome": "decision"}.get(kind, kind)
        known = code.partition(".")[0] if kind == "target" else code  # a service is named as its agency
        found, ours = rules.names(of, known, language), f"code.{kind}.{code}"
        return found if found != known else texts(ours) if texts.has(ours) else code

    return name
