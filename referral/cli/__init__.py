"""The `referral` command. Exit codes: 0 good · 1 the examined thing is bad · 2 usage or environment · 3 could not be fully checked."""

from __future__ import annotations

import sys

from referral.runtime import garbage

INTERRUPTED = 130


def main() -> None:
    """Run the command that the shell passed."""
    garbage.loading()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command. Loading the commands takes a moment; Ctrl-C during that moment must end the program without a traceback too."""
    try:
        from referral.cli import app
    except KeyboardInterrupt:
        sys.stderr.write("referral: interrupted\n")
        return INTERRUPTED
    return app.run(arguments)
