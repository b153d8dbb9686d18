"""Guard our Python programs: they begin as forks of this process, which has loaded the packages that all or most of them load.

Nothing of one service is loaded here, whose metrics the others would show too.
"""

from __future__ import annotations

import gc
import runpy
import signal
import sys

gc.disable()  # nearly all that the imports create stays

import httpx as _httpx  # noqa: E402, F401
import jinja2 as _jinja2  # noqa: E402, F401
import pydantic as _pydantic  # noqa: E402, F401
import starlette.applications as _applications  # noqa: E402, F401
import typer as _typer  # noqa: E402, F401

from referral.domain import decide as _decide  # noqa: E402, F401
from referral.local import guard  # noqa: E402
from referral.runtime import policy_feed as _policy_feed  # noqa: E402, F401
from referral.runtime import process as _process  # noqa: E402, F401
from referral.tlog import proof_file as _proof_file  # noqa: E402, F401


def main(argv: list[str]) -> None:
    """Run the guard, and in each child its command, `python -m module word…`, under its own name. argv: the socket's descriptor."""
    gc.freeze()  # a child's collector writes into what it looks at, and what is written is shared no more
    if command := guard.serve(argv):
        guard.rename(command)
        gc.enable()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = command[2:]
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
