"""The table of all commands of `referral`: name, module and function."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from referral.cli.call import PARAMETERS

ROOT = Path(__file__).parents[2]
"""Folder that has `referral`."""


class Called(TyperCommand):
    """A command that leaves its parameters where its act finds them."""

    def invoke(self, ctx: Any) -> Any:
        PARAMETERS.set(dict(ctx.params))
        return super().invoke(ctx)


class Named(TyperCommand):
    """One command by name. place: `module:function`."""

    def __init__(self, name: str, place: str) -> None:
        super().__init__(name, rich_markup_mode=None)
        self._place = place

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence of the function's docstring, from the source."""
        self.help = self.help or self._docstring()
        return super().get_short_help_str(limit)

    def _docstring(self) -> str | None:
        module, _, name = self._place.partition(":")
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")
        return next(ast.get_docstring(one) for one in ast.parse(source).body if isinstance(one, ast.FunctionDef) and one.name == name)

    def load(self) -> Any:
        """Import the command with its full help, arguments and options. An option that a variable sets has the value of the program's file.

        This is the only import by name in this program; a test loads every command.
        """
        from referral.runtime import settings  # not for `--help` of a group

        one = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        one.command(self.name, cls=Called)(pkgutil.resolve_name(self._place))
        command = typer.main.get_command(one)
        for parameter in command.params:
            if isinstance(parameter.envvar, str) and (value := settings.option(parameter.envvar)):
                parameter.default, parameter.required = value, False
        return command


class Group(TyperGroup):
    """A group of commands and groups. line: its help."""

    def __init__(self, name: str, line: str, commands: Sequence[Named | Group]) -> None:
        super().__init__(name=name, help=line, commands=commands, no_args_is_help=True, rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the arguments call, and import it. Shell completion uses this too."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Named) else command, rest


POLICY_CALENDAR = (Named("refresh", "referral.cli.policy.calendar:refresh_command"),)
POLICY_DIRECTORY = (
    Named("export", "referral.cli.policy.directory:export_command"),
    Named("import", "referral.cli.policy.directory:import_command"),
)
OVERSIGHT_READER = (
    Named("add", "referral.cli.admin.oversight:add_command"),
    Named("list", "referral.cli.admin.oversight:list_command"),
    Named("end", "referral.cli.admin.oversight:end_command"),
)
CASE = (
    Named("show", "referral.cli.agency.case:show_case"),
    Named("instruct", "referral.cli.agency.case:instruct"),
    Named("erase", "referral.cli.agency.case:erase"),
    Named("key", "referral.cli.agency.case:key_command"),
    Named("erase-refused", "referral.cli.agency.case:erase_refused"),
    Named("hold", "referral.cli.agency.case:hold"),
    Named("lift", "referral.cli.agency.case:lift"),
    Named("erasures", "referral.cli.agency.case:erasures"),
)
AGENCY = (
    Named("token", "referral.cli.admin.agency:token_command"),
    Named("topic", "referral.cli.admin.agency:topic_command"),
    Named("connect", "referral.cli.admin.agency:connect_command"),
    Named("exclude", "referral.cli.admin.agency:exclude_command"),
    Named("key", "referral.cli.admin.agency:key_command"),
)
STAFF = (
    Named("add", "referral.cli.admin.staff:add_command"),
    Named("password", "referral.cli.admin.staff:password_command"),
    Named("disable", "referral.cli.admin.staff:disable_command"),
    Named("enable", "referral.cli.admin.staff:enable_command"),
    Named("list", "referral.cli.admin.staff:list_command"),
)
DUTY = (
    Named("person", "referral.cli.admin.duty:person_command"),
    Named("rule", "referral.cli.admin.duty:rule_command"),
    Named("shift", "referral.cli.admin.duty:shift_command"),
    Named("absence", "referral.cli.admin.duty:absence_command"),
    Named("remove", "referral.cli.admin.duty:remove_command"),
    Named("disable", "referral.cli.admin.duty:disable_command"),
    Named("enable", "referral.cli.admin.duty:enable_command"),
    Named("pause", "referral.cli.admin.duty:pause_command"),
    Named("resume", "referral.cli.admin.duty:resume_command"),
    Named("show", "referral.cli.admin.duty:show_command"),
    Named("sheet", "referral.cli.admin.duty_sheet:sheet_command"),
    Named("gaps", "referral.cli.admin.duty_gaps:gaps_command"),
    Named("history", "referral.cli.admin.duty:history_command"),
)
DESK = (Named("sheet", "referral.cli.admin.desk_sheet:sheet_command"),)
PROMPTS = (
    Named("make", "referral.cli.admin.prompts:make_command"),
    Named("call", "referral.cli.admin.prompts:call_command"),
)
TOPICS = (Named("rebuild", "referral.cli.admin.prepare:rebuild_command"),)
DRILL = (
    Named("list", "referral.cli.agency.exercise:list_command"),
    Named("run", "referral.cli.agency.exercise:run_command"),
    Named("end", "referral.cli.agency.exercise:end_command"),
    Named("report", "referral.cli.audit.exercise_report:report_command"),
    Named("pass", "referral.cli.stack.drill:drill"),
)
POLICY = (
    Named("activate", "referral.cli.policy.activate:activate_command"),
    Named("propose", "referral.cli.policy.signing:propose_command"),
    Named("sign", "referral.cli.policy.signing:sign_command"),
    Named("endorse", "referral.cli.policy.signing:endorse_command"),
    Named("key", "referral.cli.policy.signing:key_command"),
    Named("pins", "referral.cli.policy.signing:pins_command"),
    Named("check", "referral.cli.policy.check:check"),
    Named("show", "referral.cli.policy.show:show_command"),
    Named("review", "referral.cli.policy.review:review_command"),
    Named("schema", "referral.cli.policy.show:schema_command"),
    Named("simulate", "referral.cli.policy.simulate:simulate"),
    Group("calendar", "The snapshot of holidays that working days are counted with.", POLICY_CALENDAR),
    Group("directory", "Agencies and services, in the words of Open Referral HSDS 3.", POLICY_DIRECTORY),
)
AUDIT_TRUST = (
    Named("import", "referral.cli.audit.trust:import_command"),
    Named("show", "referral.cli.audit.trust:show_command"),
    Named("compare", "referral.cli.audit.trust_compare:compare_command"),
)
AUDIT = (
    Named("token", "referral.cli.audit.keys:token_command"),
    Named("key", "referral.cli.audit.keys:key_command"),
    Named("export", "referral.cli.audit.export:export_command"),
    Named("verify", "referral.cli.audit.verify:verify_command"),
    Named("acknowledge", "referral.cli.audit.acknowledge:acknowledge_command"),
    Named("replay", "referral.cli.audit.replay:replay_command"),
    Named("receipt", "referral.cli.audit.receipt_words:receipt_command"),
    Named("guidance", "referral.cli.audit.guidance:guidance_command"),
    Named("figures", "referral.cli.audit.figures:figures_command"),
    Named("prove", "referral.cli.audit.prove:prove_command"),
    Named("diff", "referral.cli.audit.diff:diff_command"),
    Named("reader", "referral.cli.audit.keys:reader_command"),
    Named("writer", "referral.cli.audit.keys:writer_command"),
    Named("renew", "referral.cli.audit.renew:renew_command"),
    Named("monitor", "referral.cli.audit.monitor:monitor_command"),
    Named("witness", "referral.cli.audit.witness:witness_command"),
    Group(
        "trust", "The file of whom everybody believes: taken over from release 0.1.0, as the log publishes it, and compared.", AUDIT_TRUST
    ),
)
OVERSIGHT = (
    Named("begin", "referral.cli.admin.oversight:begin_command"),
    Named("releases", "referral.cli.admin.oversight:releases_command"),
    Named("show", "referral.cli.admin.oversight:show_command"),
    Group("reader", "Tokens for the oversight pages.", OVERSIGHT_READER),
)
CA = (
    Named("init", "referral.cli.ca.authorities:init_command"),
    Named("request", "referral.cli.ca.identities:request_command"),
    Named("sign", "referral.cli.ca.authorities:sign_command"),
    Named("install", "referral.cli.ca.identities:install_command"),
    Named("renew", "referral.cli.ca.identities:renew_command"),
    Named("revoke", "referral.cli.ca.authorities:revoke_command"),
    Named("replace", "referral.cli.ca.authorities:replace_command"),
    Named("crl", "referral.cli.ca.authorities:crl_command"),
    Named("list", "referral.cli.ca.authorities:list_command"),
)
SECURITY = (
    Named("events", "referral.cli.admin.security:events_command"),
    Named("honey", "referral.cli.admin.security:honey_command"),
)
OPERATOR = (
    Named("key", "referral.cli.admin.operator:key_command"),
    Named("word", "referral.cli.admin.operator:word_command"),
)
COMMANDS = (
    Named("up", "referral.cli.stack.up:up"),
    Named("demo", "referral.cli.stack.demo:demo"),
    Named("tour", "referral.cli.stack.tour:tour"),
    Named("handset", "referral.cli.stack.handset:handset"),
    Named("submit", "referral.cli.agency.submit:submit"),
    Named("submission", "referral.cli.agency.submit:submission"),
    Named("receipt", "referral.cli.agency.receipt:receipt"),
    Named("offers", "referral.cli.agency.offers:offers"),
    Named("respond", "referral.cli.agency.offers:respond"),
    Named("doctor", "referral.cli.admin.doctor.command:doctor"),
    Named("channels", "referral.cli.admin.channels:channels_command"),
    Named("init", "referral.cli.stack.init:init_command"),
    Named("prepare", "referral.cli.admin.prepare:prepare"),
    Named("recover", "referral.cli.admin.prepare:recover"),
    Group("topics", "The topics on the broker.", TOPICS),
    Group("drill", "Exercises on the real line, and the clock of a stack that is for drills alone.", DRILL),
    Group("case", "One case.", CASE),
    Group("agency", "An agency's tokens, its topic, and whom a case excludes.", AGENCY),
    Group("staff", "Personal accounts of the staff inbox.", STAFF),
    Group("duty", "Whom the notifier may knock, and when they are on duty.", DUTY),
    Group("desk", "What is open at the desks, on paper.", DESK),
    Group("prompts", "The sound files that a call plays, and a call to try them.", PROMPTS),
    Group("policy", "The written procedures, the directory and the calendars.", POLICY),
    Group("audit", "The log: who did what, when and why, and whether it can be believed.", AUDIT),
    Group("ca", "The authority that signs the certificates of services, agencies and operators.", CA),
    Group("security", "Who signed in, was refused or read, and what only a thief uses.", SECURITY),
    Group("operator", "What takes two operators: your key, and your word.", OPERATOR),
    Group("oversight", "The figures for the Committee and the Adviser, and who may read them.", OVERSIGHT),
)
