"""Count wrong digits by the number that they came from, and answer what is not understood once for each message."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("ALTER TABLE notifier.delivery ADD COLUMN explained boolean NOT NULL DEFAULT false")
    # Words of a note that is none of its kind: the release before sends the digits with those of its kind.
    op.execute("ALTER TABLE notifier.note ADD COLUMN words text;")
    op.execute(
        "CREATE TABLE notifier.guess ("
        " account text NOT NULL, channel text NOT NULL, tries integer NOT NULL, since bigint NOT NULL, PRIMARY KEY (account, channel))"
    )
