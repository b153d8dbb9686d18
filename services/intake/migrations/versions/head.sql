-- Heads of agencies, who manage the agency's people and rota (docs/decisions/0035), invitations, and calendar feeds.
ALTER TABLE intake.account ADD COLUMN head boolean NOT NULL DEFAULT false;
CREATE TABLE intake.invitation (             -- one for an account at most; it ends when the person has set the password
    account_id text PRIMARY KEY REFERENCES intake.account (id) ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,            -- SHA-256 of the code
    invited_by text NOT NULL,                -- an account, or the operator
    at bigint NOT NULL
);
CREATE TABLE intake.feed (                   -- the secret address of a person's shifts; a new one replaces it
    account_id text PRIMARY KEY REFERENCES intake.account (id) ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,            -- SHA-256 of the secret
    at bigint NOT NULL
);
