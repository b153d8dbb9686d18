-- An auditor's token, as SHA-256 of 256 random bits; `referral audit token` creates and revokes it.
CREATE TABLE audit.reader (hash bytea PRIMARY KEY, name text NOT NULL, made_at bigint NOT NULL, ended_at bigint);
CREATE INDEX entry_recorded ON audit.entry (recorded_at) WHERE case_id <> ''
