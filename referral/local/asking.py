"""Ask a server on this machine over one https connection that is kept: a handshake costs both sides ten times as much as the question."""

from __future__ import annotations

import contextlib
import http.client
import threading
from pathlib import Path

from referral.runtime import tls

ANSWER_S = 2.0
"""Seconds for an answer (ours): a process under SIGSTOP accepts the connection and then hangs."""


class Asking:
    """The questions to one port. Its methods block."""

    def __init__(self, port: int, identity: Path) -> None:
        """Prepare to ask. identity: folder of the identity that is shown."""
        self._port, self._identity = port, identity
        self._line: http.client.HTTPSConnection | None = None
        self._one = threading.Lock()

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; status 0 without an answer in ANSWER_S."""
        with self._one:
            if self._line is not None:
                with contextlib.suppress(ConnectionError, http.client.HTTPException):  # the server has closed it, as it may at any time
                    return self._asked(self._line, path)
            self._line = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=ANSWER_S, context=tls.client(self._identity))
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                return self._asked(self._line, path)
            return 0, b""

    def _asked(self, line: http.client.HTTPSConnection, path: str) -> tuple[int, bytes]:
        """Ask on this connection, and keep it only after an answer. ConnectionError, HTTPException: it is closed."""
        try:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read()
        except (ConnectionError, http.client.HTTPException):
            self._forget(line)
            raise
        except OSError:
            self._forget(line)
            return 0, b""

    def _forget(self, line: http.client.HTTPSConnection) -> None:
        line.close()
        self._line = None

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        with self._one:
            if self._line is not None:
                self._forget(self._line)
