-- The log. Nothing is ever changed or removed: the trigger stops accidents; what stops people is `referral audit verify`.
CREATE TABLE audit.entry (
    idx bigint PRIMARY KEY,                 -- dense from 1
    kind text NOT NULL,
    topic text NOT NULL,                    -- as in topics.yaml, without a stack's prefix
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    kafka_time bigint NOT NULL,             -- LogAppendTime, ms
    key bytea,
    value bytea NOT NULL,                   -- the exact bytes; of a gap: JSON of what is missing
    headers bytea NOT NULL,                 -- msgpack: list of [name, value]
    sha256 bytea NOT NULL,                  -- of value
    event_id text NOT NULL,
    type text NOT NULL,
    case_id text NOT NULL,
    case_seq bigint NOT NULL,
    cause_id text NOT NULL,
    recorded_at bigint NOT NULL
);
CREATE UNIQUE INDEX entry_position ON audit.entry (topic, partition, "offset") WHERE kind <> 'gap';
CREATE UNIQUE INDEX entry_sequence ON audit.entry (topic, case_id, case_seq) WHERE kind IN ('event', 'decision', 'disclosure', 'erasure');
CREATE INDEX entry_case ON audit.entry (case_id) WHERE case_id <> '';

CREATE FUNCTION audit.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit.entry is append-only'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entry EXECUTE FUNCTION audit.refuse();

-- The same bytes once more (a republication): counted, not logged.
CREATE TABLE audit.repeat (
    topic text NOT NULL,
    partition int NOT NULL,
    times bigint NOT NULL,
    last_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
