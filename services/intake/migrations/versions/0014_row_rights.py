"""Give intake's role the rows of the case file by permit alone (services/intake/casefile/row_rights.py)."""

from alembic import op

revision = "0014"
down_revision = "0013"
PERMIT = "case_id = ANY (string_to_array(current_setting('referral.permit', true), ','))"


def upgrade() -> None:
    """Switch on the row rights. A first version needs no permit: it opens a case, of which nobody has one yet.

    An intake of the release before reads no section beside this one; services of one release are replaced together.
    """
    for table in ("section", "recorded"):
        op.execute(f"ALTER TABLE intake.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY permitted ON intake.{table} USING ({PERMIT})")
    op.execute("CREATE POLICY opened ON intake.section FOR INSERT WITH CHECK (version = 1)")
