-- Objects that belong to no single service. Repeating this script is harmless. rights.yaml says which role may do what with them.
CREATE SCHEMA IF NOT EXISTS runtime;
CREATE TABLE IF NOT EXISTS runtime.settings (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS runtime.clock (one boolean PRIMARY KEY DEFAULT true CHECK (one), offset_us bigint NOT NULL);
INSERT INTO runtime.clock VALUES (true, 0) ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION runtime.clock() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE AS
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + offset_us FROM runtime.clock';
-- True when the clock was moved although the database belongs to no drill.
CREATE OR REPLACE FUNCTION runtime.moved() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
    'SELECT offset_us <> 0 AND EXISTS (SELECT FROM runtime.settings WHERE name = ''drill'' AND value = ''0'') FROM runtime.clock';
-- The asking role's own connections: pg_stat_activity shows when the others work, so nobody may read it (decision 0068).
CREATE OR REPLACE FUNCTION runtime.connections() RETURNS TABLE (pid integer, backend_xid xid, xact_start timestamptz,
    state_change timestamptz, wait_event_type text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS
    'SELECT a.pid, a.backend_xid, a.xact_start, a.state_change, a.wait_event_type FROM pg_catalog.pg_stat_activity a WHERE a.usename = session_user';
-- The asking transaction's number. The count of all of them tells when others write, so nobody may ask PostgreSQL for it.
CREATE OR REPLACE FUNCTION runtime.transaction() RETURNS xid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS
    'SELECT pg_catalog.pg_current_xact_id()::pg_catalog.xid';
-- Bytes of the write-ahead log that each of its readers has not got; null where nobody ever read, or the server keeps them no longer.
CREATE OR REPLACE FUNCTION runtime.slots() RETURNS TABLE (slot_name text, waiting float8) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = '' AS 'SELECT s.slot_name::text, pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::float8
    FROM pg_catalog.pg_replication_slots s WHERE s.slot_type = ''physical'' AND NOT s.temporary';
-- Views and defaults of a service's tables read the clock as their owner.
GRANT USAGE ON SCHEMA runtime TO intake_owner, routing_owner, notifier_owner, audit_owner, oversight_owner, eraser_owner, keys_owner;
GRANT SELECT ON runtime.settings, runtime.clock
    TO intake_owner, routing_owner, notifier_owner, audit_owner, oversight_owner, eraser_owner, keys_owner;
CREATE SCHEMA IF NOT EXISTS keys AUTHORIZATION keys_owner;
-- The keys of a case, once for each service that reads it, wrapped so that this one alone opens them (decision 0047).
CREATE TABLE IF NOT EXISTS keys.case_key (case_id text, reader text, wrapped bytea NOT NULL, PRIMARY KEY (case_id, reader));
-- The keys of these cases, as they are wrapped for whoever asks; an administrator gets intake's. No role may read the table, so nobody
-- lists the cases, or takes a key whose case it does not know.
CREATE OR REPLACE FUNCTION keys.wrapped(ids text[]) RETURNS TABLE (case_id text, reader text, wrapped bytea) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = '' AS 'SELECT k.case_id, k.reader, k.wrapped FROM keys.case_key k WHERE k.case_id = ANY(ids)
    AND k.reader = CASE WHEN session_user IN (''routing'', ''notifier'', ''audit'', ''oversight'') THEN session_user::text ELSE ''intake'' END';
-- Every form of these cases, for intake, which made them and publishes them.
CREATE OR REPLACE FUNCTION keys.forms(ids text[]) RETURNS TABLE (case_id text, reader text, wrapped bytea) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = '' AS 'SELECT k.case_id, k.reader, k.wrapped FROM keys.case_key k WHERE k.case_id = ANY(ids)';
-- Whether `referral-keys` has the keys of a case. Intake puts new ones on `referral-new-keys`, and the eraser copies them from here. Keys of
-- before this column are there.
ALTER TABLE keys.case_key ADD COLUMN IF NOT EXISTS copied boolean NOT NULL DEFAULT true;
ALTER TABLE keys.case_key ALTER COLUMN copied SET DEFAULT false;
CREATE INDEX IF NOT EXISTS case_key_new ON keys.case_key (case_id) WHERE reader = 'intake' AND NOT copied;
CREATE OR REPLACE FUNCTION keys.uncopied(most integer) RETURNS TABLE (case_id text, reader text, wrapped bytea) LANGUAGE sql
    SECURITY DEFINER SET search_path = '' AS 'WITH new AS (SELECT n.case_id FROM keys.case_key n WHERE n.reader = ''intake'' AND NOT n.copied
    LIMIT most FOR UPDATE SKIP LOCKED) SELECT k.case_id, k.reader, k.wrapped FROM keys.case_key k JOIN new USING (case_id)';
CREATE OR REPLACE FUNCTION keys.copied(ids text[]) RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = '' AS 'UPDATE keys.case_key k SET copied = true WHERE k.case_id = ANY(ids) AND k.reader = ''intake''';
-- A key is destroyed in two steps, a day apart (decision 0069). Nobody reads keys.retired. A row of keys.retirement stays for ever.
CREATE TABLE IF NOT EXISTS keys.retired (case_id text, reader text, wrapped bytea NOT NULL, PRIMARY KEY (case_id, reader));
CREATE TABLE IF NOT EXISTS keys.retirement (case_id text PRIMARY KEY, at bigint NOT NULL, erased boolean NOT NULL DEFAULT false);
-- The time by which a day is counted: the clock of a drill may be moved, that of a real line counts as the server has it.
CREATE OR REPLACE FUNCTION keys.today() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + CASE WHEN EXISTS (SELECT FROM runtime.settings
    WHERE name = ''drill'' AND value = ''1'') THEN (SELECT offset_us FROM runtime.clock) ELSE 0 END';
-- First step: these keys open nothing any more. Returns the cases that had one. A key that came back begins another day.
CREATE OR REPLACE FUNCTION keys.retire(ids text[]) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = '' AS
    'WITH gone AS (DELETE FROM keys.case_key k WHERE k.case_id = ANY(ids) RETURNING k.case_id, k.reader, k.wrapped),
    kept AS (INSERT INTO keys.retired SELECT * FROM gone ON CONFLICT (case_id, reader) DO UPDATE SET wrapped = excluded.wrapped),
    noted AS (INSERT INTO keys.retirement AS r (case_id, at) SELECT DISTINCT a.id, keys.today() FROM unnest(ids) AS a(id)
    ON CONFLICT (case_id) DO UPDATE SET at = excluded.at, erased = false WHERE r.case_id IN (SELECT g.case_id FROM gone g))
    SELECT DISTINCT g.case_id FROM gone g';
-- Second step, a day (86 400 000 000 µs) after the first at the earliest.
CREATE OR REPLACE FUNCTION keys.erase(ids text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ BEGIN
    IF EXISTS (SELECT FROM unnest(ids) AS a(id) LEFT JOIN keys.retirement r ON r.case_id = a.id
               WHERE r.at IS NULL OR r.at > keys.today() - 86400000000) THEN
        RAISE EXCEPTION 'a key is destroyed a day after it was retired, at the earliest' USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM keys.retired k WHERE k.case_id = ANY(ids);
    UPDATE keys.retirement r SET erased = true WHERE r.case_id = ANY(ids);
END $$;
-- Back from the first step, for `referral recover`, which is no role's: all but the cases whose erasure is genuine. Returns what came back.
CREATE OR REPLACE FUNCTION keys.bring_back(but text[]) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = '' AS
    'WITH back AS (DELETE FROM keys.retired k WHERE k.case_id <> ALL(but) RETURNING k.case_id, k.reader, k.wrapped),
    forgotten AS (DELETE FROM keys.retirement r WHERE NOT r.erased AND r.case_id <> ALL(but)),
    there AS (INSERT INTO keys.case_key (case_id, reader, wrapped) SELECT * FROM back ON CONFLICT DO NOTHING)
    SELECT DISTINCT b.case_id FROM back b';
