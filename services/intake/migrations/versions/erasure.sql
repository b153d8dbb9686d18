-- Erasures and holds. They contain nothing about the child: only accounts, a case id that leads to nothing any more, codes and times.
CREATE TABLE intake.erasure (
    id text PRIMARY KEY,                    -- of its row in the queue, from which the event's id is derived
    case_id text NOT NULL,
    desk text NOT NULL,                     -- desk whose staff may still see the erasure when the case is gone; empty: found on the topic after a restore
    basis text NOT NULL,                    -- a word of erasure-basis
    requested_by text NOT NULL,
    requested_at bigint NOT NULL,
    refused_by text,
    refused_at bigint,
    approved_by text CHECK (approved_by <> requested_by),
    approved_at bigint,                     -- after this time no entry point shows the case
    destroyed_at bigint,                    -- later than the published checkpoint that contains the entry
    CHECK (refused_at IS NULL OR approved_at IS NULL),
    CHECK (destroyed_at IS NULL OR approved_at IS NOT NULL)
);
CREATE UNIQUE INDEX erasure_case ON intake.erasure (case_id) WHERE refused_at IS NULL;
CREATE INDEX erasure_under_way ON intake.erasure (approved_at) WHERE approved_at IS NOT NULL AND destroyed_at IS NULL;

-- Time at which the erasure of a case was approved. It is in the row that every request locks, so that a request that waited for the lock sees it.
ALTER TABLE intake.casefile ADD COLUMN erasing_at bigint;

CREATE TABLE intake.hold (
    id text PRIMARY KEY,
    case_id text NOT NULL,
    basis text NOT NULL,                    -- a word of hold-basis
    placed_by text NOT NULL,
    placed_at bigint NOT NULL,
    lifted_by text CHECK (lifted_by <> placed_by),
    lifted_at bigint
);
CREATE UNIQUE INDEX hold_case ON intake.hold (case_id, basis) WHERE lifted_at IS NULL;

-- First offset of referral-intake that was not read for erasures. A restore resets it with the database, so erasures after the copy are found again.
CREATE TABLE intake.erasure_read (partition integer PRIMARY KEY, next bigint NOT NULL);
