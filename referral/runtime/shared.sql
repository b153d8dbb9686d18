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
-- Views and defaults of a service's tables read the clock as their owner.
GRANT USAGE ON SCHEMA runtime TO intake_owner, routing_owner, notifier_owner, audit_owner, oversight_owner;
GRANT SELECT ON runtime.settings, runtime.clock TO intake_owner, routing_owner, notifier_owner, audit_owner, oversight_owner;
CREATE SCHEMA IF NOT EXISTS keys AUTHORIZATION keys_owner;
CREATE TABLE IF NOT EXISTS keys.case_key (case_id text PRIMARY KEY, wrapped bytea NOT NULL);
-- The keys of these cases. No role may read the table, so nobody lists the cases, or takes a key whose case it does not know.
CREATE OR REPLACE FUNCTION keys.wrapped(ids text[]) RETURNS TABLE (case_id text, wrapped bytea) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = '' AS 'SELECT k.case_id, k.wrapped FROM keys.case_key k WHERE k.case_id = ANY(ids)';
CREATE OR REPLACE FUNCTION keys.erase(ids text[]) RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = '' AS 'DELETE FROM keys.case_key k WHERE k.case_id = ANY(ids)';
