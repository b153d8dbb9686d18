-- Objects that belong to no single service. Repeating this script is harmless.
CREATE SCHEMA IF NOT EXISTS runtime;
CREATE TABLE IF NOT EXISTS runtime.settings (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS runtime.clock (one boolean PRIMARY KEY DEFAULT true CHECK (one), offset_us bigint NOT NULL);
INSERT INTO runtime.clock VALUES (true, 0) ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION runtime.clock() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE AS
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + offset_us FROM runtime.clock';
-- True when the clock was moved although the database belongs to no drill.
CREATE OR REPLACE FUNCTION runtime.moved() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
    'SELECT offset_us <> 0 AND EXISTS (SELECT FROM runtime.settings WHERE name = ''drill'' AND value = ''0'') FROM runtime.clock';
CREATE SCHEMA IF NOT EXISTS keys AUTHORIZATION intake;
CREATE TABLE IF NOT EXISTS keys.case_key (case_id text PRIMARY KEY, wrapped bytea NOT NULL);
ALTER TABLE keys.case_key OWNER TO intake;
GRANT USAGE ON SCHEMA keys, runtime TO intake, routing, notifier, audit, oversight;
GRANT SELECT ON ALL TABLES IN SCHEMA runtime TO intake, routing, notifier, audit, oversight;
GRANT SELECT ON keys.case_key TO routing, notifier, audit, oversight;
