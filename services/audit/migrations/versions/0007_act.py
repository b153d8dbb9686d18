"""Create the table in which commands keep administrators' acts for the log, in the transaction of the change. A row is never changed."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE audit.act ("
        " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " value bytea NOT NULL,"  # of the entry, as referral/proof/act.py writes it
        " idx bigint)"  # the entry, once audit has appended it
    )
    op.execute("CREATE INDEX act_waiting ON audit.act (id) WHERE idx IS NULL")
    op.execute(
        "CREATE FUNCTION audit.only_logged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF TG_OP <> 'UPDATE' OR OLD.idx IS NOT NULL OR NEW.value <> OLD.value OR NEW.id <> OLD.id THEN"
        " RAISE EXCEPTION 'audit.act is append-only'; END IF; RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.act FOR EACH ROW EXECUTE FUNCTION audit.only_logged()")
    op.execute("CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit.act EXECUTE FUNCTION audit.refuse()")
