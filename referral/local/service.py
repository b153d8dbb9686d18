"""One instance of one of our services as a child process: started, asked whether it is ready, stopped."""

from __future__ import annotations

import http.client
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from referral.local.child import Recipe
from referral.local.server import Server

READY_S = 120.0
"""2 s on two idle cores, 9 s on two that fifteen processes want (measured); beyond two minutes something else is wrong."""


class Worker(Server):
    """`python -m services.<service>` at one address. A second try, because its port may be taken between our look and its own."""

    tries = 2

    def __init__(
        self, name: str, service: str, port: int, inner: int, environment: Mapping[str, str], log: Path, *, keep: tuple[int, ...] = ()
    ) -> None:
        """name: `routing-1`. inner: port of its health and metrics. environment: what it gets beside ours. keep: descriptors it holds."""
        super().__init__(log)
        self.name, self.service, self.port, self._inner = name, service, port, inner
        self._environment, self._keep = environment, keep

    @property
    def address(self) -> str:
        """host:port of its HTTP server."""
        return f"127.0.0.1:{self.port}"

    @property
    def inner(self) -> str:
        """host:port of its health and metrics."""
        return f"127.0.0.1:{self._inner}"

    def start(self) -> str:
        """Start it (again) and wait until /readyz says yes. Each start is another instance to the rest of the line. Raises Trouble."""
        own = {"REFERRAL_INSTANCE": f"{self.name}-{secrets.token_hex(3)}", "PYTHONUNBUFFERED": "1"}
        own |= {"REFERRAL_HTTP": self.address, "REFERRAL_INNER": self.inner}
        self._stopping.clear()
        child = self._spawn(
            Recipe((sys.executable, "-m", f"services.{self.service}"), self.log, env={**self._environment, **own}, keep=self._keep)
        )
        return self._ready(child, self.name, READY_S)

    def answers(self) -> bool:
        """Whether it calls itself ready."""
        return self._asked(self.port)[0] == 200

    def stands(self) -> bool:
        """Whether it waits for an operator, as after a restored database: units have stopped, or the log is read and not written."""
        status, said = self._asked(self._inner)
        return status == 503 and (b'"stopped"' in said or b'"fork"' in said)

    def _asked(self, port: int) -> tuple[int, bytes]:
        """What /readyz says; 0 where nobody answers. A stopped process takes the connection and says nothing: 2 s are enough."""
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            line.request("GET", "/readyz")
            answer = line.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            line.close()
