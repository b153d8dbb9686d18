-- People who can be knocked, their duty, the open questions (offers and tasks), and the messages to send.
-- Ids are text (uuid), times bigint (µs UTC) by the one clock; a lease alone uses the database's true clock.
CREATE TABLE notifier.person (
    account text PRIMARY KEY,               -- the id of the inbox account; never a name
    agency text NOT NULL,
    rungs text[] NOT NULL,                  -- registered for; used if an agency has no rota
    language text NOT NULL CHECK (language IN ('sq', 'sr-Latn', 'sr-Cyrl', 'en')),
    disabled boolean NOT NULL DEFAULT false
);
CREATE INDEX person_agency ON notifier.person (agency);
CREATE TABLE notifier.contact (
    account text NOT NULL REFERENCES notifier.person (account) ON DELETE CASCADE,
    channel text NOT NULL,
    address bytea NOT NULL,                 -- sealed: Keys.box('notifier-contact'), context account and channel
    confirmed_at bigint,                    -- null: unconfirmed, and used all the same
    PRIMARY KEY (account, channel)
);
CREATE TABLE notifier.weekly (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL REFERENCES notifier.person (account) ON DELETE CASCADE,
    agency text NOT NULL,
    rung text NOT NULL,
    weekday smallint NOT NULL CHECK (weekday BETWEEN 0 AND 6),               -- 0 is Monday
    start_minute integer NOT NULL CHECK (start_minute BETWEEN 0 AND 1439),   -- wall clock, Europe/Belgrade
    end_minute integer NOT NULL CHECK (end_minute > start_minute AND end_minute <= start_minute + 10080),
    since date,
    until date,
    UNIQUE NULLS NOT DISTINCT (account, agency, rung, weekday, start_minute, end_minute, since, until)
);
CREATE INDEX weekly_agency ON notifier.weekly (agency);
CREATE TABLE notifier.single (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL REFERENCES notifier.person (account) ON DELETE CASCADE,
    agency text NOT NULL,
    rung text NOT NULL,
    starts bigint NOT NULL,
    ends bigint NOT NULL CHECK (ends > starts),
    UNIQUE (account, agency, rung, starts, ends)
);
CREATE INDEX single_agency ON notifier.single (agency);
CREATE TABLE notifier.absence (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL REFERENCES notifier.person (account) ON DELETE CASCADE,
    starts bigint NOT NULL,
    ends bigint NOT NULL CHECK (ends > starts),
    UNIQUE (account, starts, ends)
);
CREATE TABLE notifier.pause (                -- one row while nothing may be sent
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    reason text NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE notifier.asked (                -- an offer, or a task of a desk; the columns are the fields of plan.Question
    id text PRIMARY KEY,
    case_id text NOT NULL,
    task boolean NOT NULL,
    agency text NOT NULL,
    ladder text[] NOT NULL,
    rung integer NOT NULL,
    drill boolean NOT NULL,
    once boolean NOT NULL,
    system boolean NOT NULL,
    skip text[] NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'ANSWERED', 'CLOSED')),
    rounds integer[] NOT NULL,
    next_at bigint,
    due bigint,
    failed integer NOT NULL
);
CREATE INDEX asked_case ON notifier.asked (case_id) WHERE state <> 'CLOSED';
CREATE TABLE notifier.barred (               -- staff who must not hear of a case, also of its later tasks
    case_id text PRIMARY KEY,
    accounts text[] NOT NULL
);
CREATE TABLE notifier.delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked text NOT NULL,
    case_id text NOT NULL,
    task boolean NOT NULL,
    rung integer NOT NULL,
    again integer NOT NULL,
    person text NOT NULL,
    channel text NOT NULL,
    language text NOT NULL,
    drill boolean NOT NULL,
    reference text NOT NULL DEFAULT gen_random_uuid(),
    state text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'SENT', 'FAILED', 'DROPPED')),
    planned_at bigint NOT NULL,
    due_at bigint NOT NULL,                  -- of the next attempt
    attempt integer NOT NULL DEFAULT 0,      -- also the fence: only the newest claim writes a result
    lease_until timestamptz,
    ended_at bigint,
    reason text,
    UNIQUE (asked, rung, again, person, channel)
);
CREATE INDEX delivery_waiting ON notifier.delivery (due_at, id) WHERE state = 'WAITING';
CREATE INDEX delivery_case ON notifier.delivery (case_id);
