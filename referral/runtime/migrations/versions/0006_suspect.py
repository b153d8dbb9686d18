"""Count the attempts of each input by itself: one that does not kill no longer takes away the count of one that does.

`attempt` has one row for each unit. It belongs to the release before this one; the release after next drops it.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

# An input about to be handled after an unclean take-over; gone again when it did not kill the process.
TABLES = """
CREATE TABLE suspect (
    unit text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    attempts integer NOT NULL,
    PRIMARY KEY (unit, topic, partition, "offset")
);
"""


def upgrade() -> None:
    op.execute(TABLES)
