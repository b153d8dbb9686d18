"""The policy folder that a command looks at, compiled; what is wrong with it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from referral.cli import policy, show
from referral.domain.policy import Policy, PolicyErrors, compile
from referral.errors import Rejected
from referral.runtime.settings import CHECKOUT

Folder = Annotated[Path | None, typer.Option("--policy", help="The policy folder; by default the one of the checkout.")]


def compiled(folder: Path | None) -> Policy | None:
    """None, and every error on standard error, where it is wrong. BadParameter: there is no such folder."""
    try:
        return compile(policy.read(folder or CHECKOUT / "policy"))
    except Rejected as error:
        raise typer.BadParameter(str(error)) from None
    except PolicyErrors as wrong:
        for line in wrong.errors:
            show.errors.print(line, soft_wrap=True, markup=False)
        return None
