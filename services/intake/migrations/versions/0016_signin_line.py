"""Let the attempts of one login wait in line, wherever they come from."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the line. login: keyed digest. free_at: when the next password of the login may be checked, µs UTC."""
    op.execute("CREATE TABLE intake.signin_line (login bytea PRIMARY KEY, free_at bigint NOT NULL)")
