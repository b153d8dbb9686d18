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
GRANT USAGE ON SCHEMA runtime TO intake_owner, routing_owner, notifier_owner, audit_owner, oversight_owner;
GRANT SELECT ON runtime.settings, runtime.clock TO intake_owner, routing_owner, notifier_owner, audit_owner, oversight_owner;
CREATE SCHEMA IF NOT EXISTS keys AUTHORIZATION keys_owner;
-- The keys of a case, once for each service that reads it, wrapped so that this one alone opens them (decision 0047).
CREATE TABLE IF NOT EXISTS keys.case_key (case_id text, reader text, wrapped bytea NOT NULL, PRIMARY KEY (case_id, reader));
-- Before, one form was for all who had the master key: `referral prepare` wraps it anew for each reader.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'keys.case_key'::regclass AND attname = 'reader' AND NOT attisdropped) THEN
        ALTER TABLE keys.case_key DROP CONSTRAINT case_key_pkey;
        ALTER TABLE keys.case_key ADD COLUMN reader text NOT NULL DEFAULT 'master';
        ALTER TABLE keys.case_key ALTER COLUMN reader DROP DEFAULT;
        ALTER TABLE keys.case_key ADD PRIMARY KEY (case_id, reader);
        DROP FUNCTION IF EXISTS keys.wrapped(text[]);
    END IF;
END $$;
-- The keys of these cases, as they are wrapped for whoever asks; an administrator gets intake's. No role may read the table, so nobody
-- lists the cases, or takes a key whose case it does not know.
CREATE OR REPLACE FUNCTION keys.wrapped(ids text[]) RETURNS TABLE (case_id text, reader text, wrapped bytea) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = '' AS 'SELECT k.case_id, k.reader, k.wrapped FROM keys.case_key k WHERE k.case_id = ANY(ids)
    AND k.reader = CASE WHEN session_user IN (''routing'', ''notifier'', ''audit'', ''oversight'') THEN session_user::text ELSE ''intake'' END';
-- Every form of these cases, for intake, which made them and publishes them.
CREATE OR REPLACE FUNCTION keys.forms(ids text[]) RETURNS TABLE (case_id text, reader text, wrapped bytea) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = '' AS 'SELECT k.case_id, k.reader, k.wrapped FROM keys.case_key k WHERE k.case_id = ANY(ids)';
CREATE OR REPLACE FUNCTION keys.erase(ids text[]) RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = '' AS 'DELETE FROM keys.case_key k WHERE k.case_id = ANY(ids)';
