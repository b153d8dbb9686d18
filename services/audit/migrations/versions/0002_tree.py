"""Make entries the leaves of a tree: tree.sql beside this file. The topics hold everything, so audit reads them again from their start."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for statement in Path(__file__).with_name("tree.sql").read_text("utf-8").split(";\n"):
        if statement.strip():
            op.execute(statement)
