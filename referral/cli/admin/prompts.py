"""`referral prompts`: make the sound files that a call plays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from referral.channels import prompts
from referral.cli import console


def make_command(folder: Annotated[Path, typer.Argument(help="Where REFERRAL_PROMPTS points; made if it is not there.")]) -> None:
    """Make the spoken prompts of a call, in every language, with espeak-ng and sox. A file that is there is kept: record your own.

    Exit 0: the folder is complete. 1: a program is absent, or a recording does not suit a telephone.

    Example: referral prompts make prompts
    """
    made, kept = prompts.make(folder)
    for name in made:
        console.console.print(f"made {name}")
    for name in kept:
        console.console.print(f"kept {name}")
