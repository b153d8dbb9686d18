"""The `referral` command. Exit codes: 0 good · 1 the thing asked about is bad · 2 usage or environment · 3 could not be fully checked."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command that the shell gave."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command. Loading them takes a moment, in which Ctrl-C must be heard as quietly as later."""
    try:
        from referral.cli import app
    except KeyboardInterrupt:
        sys.stderr.write("referral: interrupted\n")
        return INTERRUPTED
    return app.run(arguments)
