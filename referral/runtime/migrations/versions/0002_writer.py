"""Create the secret with which a service marks its records, one in each service's schema: only its own role reads it."""

from alembic import op

revision = "0002"
down_revision = "0001"

# 32 bytes, 244 of their bits at random, by PostgreSQL's strong source.
TABLE = """
CREATE TABLE writer (one boolean PRIMARY KEY DEFAULT true CHECK (one), secret bytea NOT NULL);
INSERT INTO writer (secret) VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
"""


def upgrade() -> None:
    op.execute(TABLE)
