"""Run one command of the `referral` program, and turn each expected failure into a message and an exit code."""

from __future__ import annotations

import logging
import os
import sys

import typer

from referral.cli.call import ARGUMENTS, INPUT
from referral.cli.commands import COMMANDS, Group
from referral.errors import Malformed, NewerVersion, Rejected, Unavailable

ABOUT = "One referral reaches, in the order of the written procedure, every agency that a child needs."
app = Group("referral", ABOUT, COMMANDS)

BAD, USAGE, UNCHECKED, INTERRUPTED = 1, 2, 3, 130


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. Every expected failure is one line on standard error, never a traceback."""
    ARGUMENTS.set(tuple(arguments))
    INPUT.set(None)
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # the command itself says that the broker is away
    try:
        code = app.main(arguments, standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message()
        return _say(message, USAGE) if not message.startswith("Usage:") else _show(message)
    except typer.Exit as error:
        code = error.exit_code
    except Rejected as error:
        return _say(str(error), USAGE if error.where.startswith("REFERRAL_") else BAD)
    except Malformed as error:
        return _say(str(error), BAD)
    except NewerVersion as error:
        return _say(f"{error}: take a newer program", UNCHECKED)
    except Unavailable as error:
        return _say(str(error), USAGE)
    except BrokenPipeError:  # `referral … | head`: the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _say(f"{error.strerror or error}: {error.filename}" if error.filename else str(error), USAGE)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        code = _of_a_package(error)
        if code is None:
            raise
    if code == INTERRUPTED:
        return _say("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _of_a_package(error: Exception) -> int | None:
    """Print an error of the agencies' SDK or of the Kafka client, and return its exit code; None for any other error.

    The imports are here so that a command that needs neither package loads neither.
    """
    from aiokafka.errors import KafkaError

    from referral.client import Away, Problem, RecordedOtherwise

    if isinstance(error, Problem | RecordedOtherwise):
        return _say(str(error), BAD)
    if isinstance(error, Away):
        return _say(str(error), USAGE)
    return _say(str(Unavailable("the broker")), USAGE) if isinstance(error, KafkaError) else None


def _say(message: str, code: int) -> int:
    typer.echo(f"referral: {message}", err=True)
    return code


def _show(usage: str) -> int:
    """Print the usage of a command that was called without arguments."""
    typer.echo(usage)
    return USAGE
