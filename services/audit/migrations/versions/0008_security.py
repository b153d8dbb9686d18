"""Create the table of security events, to which services only add, and the list of what nobody has a use for (honey)."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
YEAR_US = 365 * 24 * 60 * 60 * 1_000_000
"""Youngest age of a row that may be removed; referral/wire/security_event.py has the same (KEPT_DAYS)."""
KINDS = (
    "signed-in",
    "signed-out",
    "refused",
    "throttled",
    "password-set",
    "denied",
    "file-read",
    "read-off-duty",
    "log-read",
    "honey",
)


def upgrade() -> None:
    """The database itself gives time and service, so that nobody dates an event back or writes one in another's name."""
    op.execute(
        "CREATE TABLE audit.security ("
        " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " at bigint NOT NULL DEFAULT runtime.clock(),"  # µs UTC
        " service text NOT NULL DEFAULT session_user,"
        f" kind text NOT NULL CHECK (kind IN ({', '.join(map(repr, KINDS))})),"
        " who text NOT NULL CHECK (who ~ '^(unknown|others|(account|agency|office):[A-Za-z0-9._-]{1,80})$'),"
        " detail text NOT NULL CHECK (detail ~ '^[a-z0-9-]{0,60}$'),"
        " place text NOT NULL CHECK (place ~ '^[0-9a-f]{0,12}$'),"
        " times integer NOT NULL CHECK (times > 0),"
        " idx bigint)"  # the heartbeat's entry that seals it, once audit has appended that
    )
    op.execute("CREATE INDEX security_recent ON audit.security (at)")
    op.execute("CREATE INDEX security_waiting ON audit.security (id) WHERE idx IS NULL")
    op.execute(
        "CREATE FUNCTION audit.only_sealed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'DELETE' AND OLD.at < runtime.clock() - {YEAR_US} THEN RETURN OLD; END IF;"
        " IF TG_OP = 'UPDATE' AND OLD.idx IS NULL AND (NEW.id, NEW.at, NEW.service, NEW.kind, NEW.who, NEW.detail, NEW.place, NEW.times)"
        " = (OLD.id, OLD.at, OLD.service, OLD.kind, OLD.who, OLD.detail, OLD.place, OLD.times) THEN RETURN NEW; END IF;"
        " RAISE EXCEPTION 'audit.security is append-only'; END $$"
    )
    op.execute("CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.security FOR EACH ROW EXECUTE FUNCTION audit.only_sealed()")
    op.execute("CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit.security EXECUTE FUNCTION audit.refuse()")
    op.execute(
        "CREATE TABLE audit.honey ("
        " digest bytea PRIMARY KEY,"  # SHA-256 of the token, or of the number of a case that does not exist
        " kind text NOT NULL CHECK (kind IN ('token', 'case')),"
        " label text NOT NULL,"  # where it lies, in the operator's words
        " made_at bigint NOT NULL,"
        " ended_at bigint)"
    )
