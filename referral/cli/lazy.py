"""Load each command's module only when the command is called. Lists read the docstrings from the source, so they import none."""

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
