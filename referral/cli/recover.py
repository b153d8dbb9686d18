"""`referral recover`: the database was set back to an older copy, Kafka is ahead; put back what the topics prove and go on."""

from __future__ import annotations

import json
import subprocess
import sys

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import log, show
from referral.errors import Unavailable
from referral.proof.entry import CASE_TOPICS
from referral.runtime import reading
from referral.runtime.settings import Settings

ORDER = ("routing", "intake", "notifier", "audit")
"""Routing first: intake needs the policy in force. Each is one transaction that fences its service and brings the keys back."""


def recover(as_json: show.Json = False) -> int:
    """Fold the services' tables again from the topics, after their units stopped as rewound. Repeating it is harmless.

    Exit 0: done; the units go on by themselves. 2: database or broker away; nothing of the service named was changed.

    Example: referral recover
    """
    log.ask(_answer)
    done: dict[str, dict[str, int]] = {}
    for service in ORDER:
        result = subprocess.run([sys.executable, "-m", f"services.{service}.recover"], stdout=subprocess.PIPE, check=False)
        if result.returncode:
            raise Unavailable(f"what `recover` of {service} needs (its own message is above; {', '.join(done) or 'nothing'} is done)")
        done[service] = json.loads(result.stdout)
    if as_json:
        show.document(done)
    else:
        show.table(("service", "what", "number"), [(s, what, n) for s, counts in done.items() for what, n in counts.items()])
        show.console.print("now: `referral doctor`, then `referral audit verify`")
    return 0


async def _answer(_: AsyncConnection, found: Settings) -> None:
    """Database and broker are there: asked first, so that none of the services begins in vain."""
    await reading.ends(found, CASE_TOPICS)
