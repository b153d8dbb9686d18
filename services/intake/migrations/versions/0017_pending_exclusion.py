"""Tell an exclusion that one party alone has recorded about the holder of a duty from one that a second party has confirmed."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the columns. at: when it was recorded, µs UTC. proposal: the desk's task that asks a second party; NULL: it holds wholly."""
    op.execute("ALTER TABLE intake.exclusion ADD COLUMN at bigint NOT NULL DEFAULT 0, ADD COLUMN proposal text")
    op.execute("ALTER TABLE intake.exclusion ALTER COLUMN at SET DEFAULT runtime.clock()")
