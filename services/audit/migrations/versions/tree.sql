-- The first table had no leaves. The topics hold all its records for ever, so audit reads them again, now in the order of the tree.
DROP TABLE audit.entry;
DELETE FROM audit.repeat;
DO $$ BEGIN IF to_regclass('audit.lease') IS NOT NULL THEN DELETE FROM audit.lease; END IF; END $$;

CREATE TABLE audit.entry (
    idx bigint PRIMARY KEY,                 -- of the leaf, dense from 0
    leaf bytea NOT NULL,                    -- the exact bytes that the tree hashes
    key bytea,
    value bytea NOT NULL,                   -- the exact bytes of the record; of an entry of audit itself: its content
    headers bytea NOT NULL,                 -- msgpack: list of [name, value]
    -- the columns below serve searching: `verify` trusts only the leaf
    kind text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    sha256 bytea NOT NULL,
    event_id text NOT NULL,
    case_id text NOT NULL,
    case_seq bigint NOT NULL,
    recorded_at bigint NOT NULL
);
CREATE UNIQUE INDEX entry_position ON audit.entry (topic, partition, "offset") WHERE kind NOT IN ('GAP', 'SCHEMA', 'KEYS');
CREATE UNIQUE INDEX entry_sequence ON audit.entry (topic, case_id, case_seq) WHERE kind IN ('EVENT', 'DECISION', 'DISCLOSURE', 'ERASURE');
CREATE INDEX entry_case ON audit.entry (case_id) WHERE case_id <> '';
CREATE INDEX entry_event ON audit.entry (event_id) WHERE event_id <> '';
CREATE INDEX entry_open ON audit.entry (key) WHERE kind IN ('POLICY', 'QUARANTINE', 'FIGURE');
CREATE INDEX entry_own ON audit.entry (idx) WHERE kind IN ('SCHEMA', 'KEYS');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entry EXECUTE FUNCTION audit.refuse();

CREATE OR REPLACE FUNCTION audit.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit.% is append-only', TG_TABLE_NAME; END $$;

-- The tree (C2SP tlog-tiles). A row is the widest tile of its place; narrower ones are its beginning.
CREATE TABLE audit.tile (level int NOT NULL, number bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY (level, number));
CREATE FUNCTION audit.only_longer() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF substr(NEW.data, 1, length(OLD.data)) <> OLD.data THEN RAISE EXCEPTION 'audit.tile only grows'; END IF; RETURN NEW; END $$;
CREATE TRIGGER only_longer BEFORE UPDATE ON audit.tile FOR EACH ROW EXECUTE FUNCTION audit.only_longer();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON audit.tile EXECUTE FUNCTION audit.refuse();

-- The present tree; written with its entries and tiles. at: logged_at of the last entry.
CREATE TABLE audit.head (one boolean PRIMARY KEY DEFAULT true CHECK (one), size bigint NOT NULL, root bytea NOT NULL, at bigint NOT NULL);
INSERT INTO audit.head VALUES (true, 0, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0);

-- The signed checkpoints: one root per size, for ever. collected: with the witnesses' lines so far; cosigned: once they are a quorum.
CREATE TABLE audit.checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    note bytea NOT NULL,
    at bigint NOT NULL,
    collected bytea,
    cosigned bytea
);
CREATE INDEX checkpoint_cosigned ON audit.checkpoint (size) WHERE cosigned IS NOT NULL;
CREATE FUNCTION audit.only_cosigned() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF (NEW.size, NEW.root, NEW.note, NEW.at) IS DISTINCT FROM (OLD.size, OLD.root, OLD.note, OLD.at) THEN RAISE EXCEPTION 'audit.checkpoint is append-only'; END IF; RETURN NEW; END $$;
CREATE TRIGGER only_cosigned BEFORE UPDATE ON audit.checkpoint FOR EACH ROW EXECUTE FUNCTION audit.only_cosigned();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON audit.checkpoint EXECUTE FUNCTION audit.refuse()
