-- Personal accounts of the staff inbox and their sessions. services/intake/accounts/store.py writes them.
CREATE TABLE intake.account (
    id text PRIMARY KEY,                    -- uuid: the `by` of answers and readings; never a name
    login text NOT NULL UNIQUE,             -- lower case
    password text NOT NULL,                 -- argon2id, as referral/runtime/passwords.py sets it
    agency text NOT NULL,
    language text NOT NULL CHECK (language IN ('sq', 'sr-Latn', 'sr-Cyrl', 'en')),
    desk boolean NOT NULL DEFAULT false,    -- may work the desk's tasks and record telephone answers
    disabled boolean NOT NULL DEFAULT false,
    created_at bigint NOT NULL              -- µs UTC, like every time
);
CREATE TABLE intake.session (
    digest bytea PRIMARY KEY,               -- SHA-256 of the cookie
    account_id text NOT NULL REFERENCES intake.account (id) ON DELETE CASCADE,
    seal bytea NOT NULL,                    -- authenticates the idle mark that the cookie carries
    created_at bigint NOT NULL
);
CREATE TABLE intake.signin_failure (
    kind text NOT NULL,                     -- pair, login or address
    subject bytea NOT NULL,                 -- keyed digest
    at bigint NOT NULL
);
CREATE INDEX signin_failure_recent ON intake.signin_failure (kind, subject, at);
