"""Every command of `referral`, and what a failure of it says."""

from __future__ import annotations

import os
import sys

import typer
from aiokafka.errors import KafkaError

from referral.cli import (
    agency,
    agency_key,
    audit,
    audit_diff,
    audit_export,
    audit_figures,
    audit_prove,
    audit_reader,
    audit_replay,
    audit_token,
    audit_verify,
    case,
    check,
    demo,
    doctor,
    drill,
    duty,
    erasing,
    log_key,
    log_renew,
    monitor,
    offers,
    oversight,
    pathway_schema,
    pathway_show,
    policy,
    prepare,
    receipt,
    recover,
    simulate,
    staff,
    submit,
    up,
    witness,
)
from referral.client import Away, Problem
from referral.errors import Malformed, NewerVersion, Rejected, Unavailable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One referral reaches, in the order of the written procedure, every agency that a child needs.",
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("submit")(submit.submit)
app.command("submission")(submit.submission)
app.command("receipt")(receipt.receipt)
app.command("offers")(offers.offers)
app.command("respond")(offers.respond)
for command in (erasing.erase, erasing.hold, erasing.lift, erasing.erasures):
    case.app.command(command.__name__)(command)
app.add_typer(case.app, name="case")
agency.app.command("key")(agency_key.key_command)
app.add_typer(agency.app, name="agency")
app.add_typer(staff.app, name="staff")
app.add_typer(duty.app, name="duty")
policy.app.command("check")(check.check)
policy.app.command("show")(pathway_show.show_command)
policy.app.command("schema")(pathway_schema.schema_command)
policy.app.command("simulate")(simulate.simulate)
app.add_typer(policy.app, name="policy")
audit.app.command("token")(audit_token.token_command)
audit.app.command("key")(log_key.key_command)
audit.app.command("export")(audit_export.export_command)
audit.app.command("verify")(audit_verify.verify_command)
audit.app.command("replay")(audit_replay.replay_command)
audit.app.command("figures")(audit_figures.figures_command)
audit.app.command("prove")(audit_prove.prove_command)
audit.app.command("diff")(audit_diff.diff_command)
audit.app.command("reader")(audit_reader.reader_command)
audit.app.command("renew")(log_renew.renew_command)
audit.app.command("monitor")(monitor.monitor_command)
audit.app.command("witness")(witness.witness_command)
app.add_typer(audit.app, name="audit")
app.add_typer(oversight.app, name="oversight")
app.command("doctor")(doctor.doctor)
app.command("prepare")(prepare.prepare)
app.command("recover")(recover.recover)
app.command("drill")(drill.drill)

BAD, USAGE, UNCHECKED, INTERRUPTED = 1, 2, 3, 130


def run(arguments: list[str]) -> int:
    """Run one command; every expected failure is one line on standard error, never a traceback. The exit code."""
    try:
        code = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message()
        return _say(message, USAGE) if not message.startswith("Usage:") else _show(message)
    except typer.Exit as error:
        code = error.exit_code
    except (Rejected, Problem) as error:
        environment = isinstance(error, Rejected) and error.where.startswith("REFERRAL_")
        return _say(str(error), USAGE if environment else BAD)
    except Malformed as error:
        return _say(str(error), BAD)
    except NewerVersion as error:
        return _say(f"{error}: take a newer program", UNCHECKED)
    except (Unavailable, Away) as error:
        return _say(str(error), USAGE)
    except BrokenPipeError:  # `referral … | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _say(f"{error.strerror or error}: {error.filename}" if error.filename else str(error), USAGE)
    except KafkaError:
        return _say(str(Unavailable("the broker")), USAGE)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        return _say("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _say(message: str, code: int) -> int:
    typer.echo(f"referral: {message}", err=True)
    return code


def _show(usage: str) -> int:
    """A command that was called with nothing shows what it can do."""
    typer.echo(usage)
    return USAGE
