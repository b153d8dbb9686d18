-- What an agency changes itself, through intake's pages (services/notifier/roster_door): hours given away, swaps, addresses that are not
-- confirmed yet, and messages that belong to no case.
CREATE TABLE notifier.given (                -- by a swap or a hand-over: this person's shifts at this rung do not count in these hours
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    agency text NOT NULL,
    rung text NOT NULL,
    starts bigint NOT NULL,
    ends bigint NOT NULL CHECK (ends > starts),
    added_at bigint NOT NULL DEFAULT runtime.clock(),
    added_by text NOT NULL DEFAULT coalesce(current_setting('referral.by', true), ''),
    ended_at bigint,
    ended_by text
);
CREATE UNIQUE INDEX given_held ON notifier.given (account, agency, rung, starts, ends) WHERE ended_at IS NULL;
CREATE INDEX given_agency ON notifier.given (agency);
CREATE TABLE notifier.swap (                 -- a proposal changes nothing; its acceptance writes `given` and `single`
    id text PRIMARY KEY,                     -- the key of the act that proposed it
    agency text NOT NULL,
    rung text NOT NULL,
    giver text NOT NULL,
    taker text NOT NULL,
    starts bigint NOT NULL,
    ends bigint NOT NULL CHECK (ends > starts),
    state text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'TAKEN', 'REFUSED', 'WITHDRAWN')),
    asked_at bigint NOT NULL DEFAULT runtime.clock(),
    decided_at bigint
);
CREATE INDEX swap_agency ON notifier.swap (agency, state);
CREATE TABLE notifier.act (                  -- each form that changed something, so that a repeat changes nothing and gets the same answer
    key text PRIMARY KEY,
    digest bytea NOT NULL,
    answer bytea NOT NULL,
    at bigint NOT NULL DEFAULT runtime.clock()
);
CREATE TABLE notifier.unconfirmed (          -- an address that is used once its code came back
    account text NOT NULL,
    channel text NOT NULL,
    address bytea NOT NULL,                  -- sealed as a contact's
    code bytea NOT NULL,                     -- keyed digest
    tries integer NOT NULL DEFAULT 0,
    at bigint NOT NULL DEFAULT runtime.clock(),
    PRIMARY KEY (account, channel)
);
CREATE TABLE notifier.note (                 -- a message to a person that belongs to no case (services/notifier/notes)
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('code', 'test', 'changed', 'gaps', 'swap')),
    address bytea,                           -- sealed; null: the contact of that moment
    code bytea,                              -- sealed: six digits
    reference text NOT NULL DEFAULT gen_random_uuid(),
    state text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'SENT', 'FAILED')),
    planned_at bigint NOT NULL DEFAULT runtime.clock(),
    due_at bigint NOT NULL DEFAULT runtime.clock(),
    attempt integer NOT NULL DEFAULT 0,      -- also the fence
    lease_until timestamptz,
    reason text,
    ended_at bigint
);
CREATE INDEX note_waiting ON notifier.note (due_at, id) WHERE state = 'WAITING';
CREATE INDEX note_account ON notifier.note (account, planned_at);
CREATE TABLE notifier.gap_told (             -- the day on which an agency's heads were last told of holes
    agency text PRIMARY KEY,
    day date NOT NULL
);
