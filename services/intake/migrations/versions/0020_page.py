"""Keep the page that a form made for the GET that shows it (services/intake/pages/kept_page.py). Unlogged: no archive of the database gets
it, and a crash empties it; then the page is asked for again."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Create the table."""
    op.execute(
        "CREATE UNLOGGED TABLE intake.page (digest bytea PRIMARY KEY, owner bytea NOT NULL, stranger boolean NOT NULL, "
        "until bigint NOT NULL, sealed bytea NOT NULL)"
    )
