"""Create the releases of figures and their readers: releases.sql beside this file."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in Path(__file__).with_name("releases.sql").read_text("utf-8").split(";\n"):
        if statement.strip():
            op.execute(statement)
