-- What comes back after a message was handed over, how loudly a person is knocked, and reminders of what somebody has taken.
ALTER TABLE notifier.delivery ADD COLUMN delivered_at bigint, ADD COLUMN tries integer NOT NULL DEFAULT 0;
CREATE INDEX delivery_reference ON notifier.delivery (reference);
CREATE INDEX delivery_sent ON notifier.delivery (channel, ended_at) WHERE state = 'SENT';
CREATE INDEX delivery_leased ON notifier.delivery (channel) WHERE state = 'WAITING' AND lease_until IS NOT NULL;
ALTER TABLE notifier.asked ADD COLUMN taken boolean NOT NULL DEFAULT false, ADD COLUMN cannot text[] NOT NULL DEFAULT '{}',
    ADD COLUMN closed_at bigint;
UPDATE notifier.asked SET closed_at = runtime.clock() WHERE state = 'CLOSED';
CREATE INDEX asked_closed ON notifier.asked (closed_at);
CREATE TABLE notifier.rule (                 -- a person's own steps; a row ends and is never deleted
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    loudness text NOT NULL CHECK (loudness IN ('urgent', 'normal', 'quiet')),
    channel text NOT NULL,
    after integer NOT NULL CHECK (after BETWEEN 0 AND 86400),   -- seconds
    added_at bigint NOT NULL DEFAULT runtime.clock(),
    added_by text NOT NULL DEFAULT coalesce(current_setting('referral.by', true), ''),
    ended_at bigint,
    ended_by text
);
CREATE UNIQUE INDEX rule_held ON notifier.rule (account, loudness, channel) WHERE ended_at IS NULL;
