-- The releases. A release is written whole and never changed: the trigger allows only the mark that it was published.
CREATE TABLE oversight.release (
    number int PRIMARY KEY CHECK (number > 0),  -- dense from 1
    month text NOT NULL,                        -- the period that it closes
    made bytea NOT NULL,                        -- the exact Avro body of its release-made
    figures bytea NOT NULL,                     -- msgpack: list of the exact Avro bodies of its figures, in the order of their keys
    published_at bigint                         -- when all of it was on oversight-feed
);
CREATE FUNCTION oversight.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'oversight.release is append-only'; END $$;
CREATE FUNCTION oversight.only_published() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF OLD.published_at IS NOT NULL OR (NEW.number, NEW.month, NEW.made, NEW.figures) IS DISTINCT FROM (OLD.number, OLD.month, OLD.made, OLD.figures) THEN RAISE EXCEPTION 'oversight.release is append-only'; END IF; RETURN NEW; END $$;
CREATE TRIGGER only_published BEFORE UPDATE ON oversight.release FOR EACH ROW EXECUTE FUNCTION oversight.only_published();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON oversight.release EXECUTE FUNCTION oversight.refuse();

-- Readers of the pages: a token as SHA-256 of 256 random bits, and its office; `referral oversight reader` creates and revokes it.
CREATE TABLE oversight.reader (
    hash bytea PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('committee', 'adviser')),
    created_at bigint NOT NULL,
    ended_at bigint
)
