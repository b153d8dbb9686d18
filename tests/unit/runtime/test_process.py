"""A process that cannot begin says why, and what to do."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from referral.errors import Misconfigured
from referral.runtime import process


def test_a_port_that_another_program_has_is_said_with_what_to_do() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"port {port} of 127.0.0.1: another program has it"):
            process._listen("127.0.0.1", port)
