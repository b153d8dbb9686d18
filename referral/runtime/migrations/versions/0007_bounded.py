"""Mark the processes that need no function of PostgreSQL which `referral prepare` takes from everybody (decision 0068).

While one of the release before runs, which has no mark, `prepare` leaves them open.
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE instance ADD COLUMN bounded boolean NOT NULL DEFAULT false")
