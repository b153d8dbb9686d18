"""Create the tokens of auditors, who read the log over HTTP: readers.sql beside this file."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for statement in Path(__file__).with_name("readers.sql").read_text("utf-8").split(";\n"):
        if statement.strip():
            op.execute(statement)
