-- Roster rows end and are never deleted: past duty, and the author of each change, can be looked up later.
-- added_by, ended_by: the account of the operating system that ran the command (setting referral.by); empty if unknown.
DO $$ DECLARE one record; BEGIN FOR one IN SELECT conname, conrelid::regclass AS of FROM pg_constraint WHERE contype IN ('u', 'f') AND conrelid IN ('notifier.contact'::regclass, 'notifier.weekly'::regclass, 'notifier.single'::regclass, 'notifier.absence'::regclass) LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.of, one.conname); END LOOP; END $$;
ALTER TABLE notifier.person DROP CONSTRAINT person_pkey, DROP COLUMN language, ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
ALTER TABLE notifier.contact DROP CONSTRAINT contact_pkey, ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ALTER COLUMN address DROP NOT NULL;                -- an address that has ended is not kept
ALTER TABLE notifier.pause DROP COLUMN one, ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
ALTER TABLE notifier.pause RENAME COLUMN at TO added_at;
ALTER TABLE notifier.pause ADD COLUMN added_by text NOT NULL DEFAULT '', ADD COLUMN ended_at bigint, ADD COLUMN ended_by text;
ALTER TABLE notifier.person ADD COLUMN added_at bigint NOT NULL DEFAULT 0, ADD COLUMN added_by text NOT NULL DEFAULT '', ADD COLUMN ended_at bigint, ADD COLUMN ended_by text;
ALTER TABLE notifier.contact ADD COLUMN added_at bigint NOT NULL DEFAULT 0, ADD COLUMN added_by text NOT NULL DEFAULT '', ADD COLUMN ended_at bigint, ADD COLUMN ended_by text;
ALTER TABLE notifier.weekly ADD COLUMN added_at bigint NOT NULL DEFAULT 0, ADD COLUMN added_by text NOT NULL DEFAULT '', ADD COLUMN ended_at bigint, ADD COLUMN ended_by text;
ALTER TABLE notifier.single ADD COLUMN added_at bigint NOT NULL DEFAULT 0, ADD COLUMN added_by text NOT NULL DEFAULT '', ADD COLUMN ended_at bigint, ADD COLUMN ended_by text;
ALTER TABLE notifier.absence ADD COLUMN added_at bigint NOT NULL DEFAULT 0, ADD COLUMN added_by text NOT NULL DEFAULT '', ADD COLUMN ended_at bigint, ADD COLUMN ended_by text;
ALTER TABLE notifier.person ALTER COLUMN added_at SET DEFAULT runtime.clock(), ALTER COLUMN added_by SET DEFAULT coalesce(current_setting('referral.by', true), '');
ALTER TABLE notifier.contact ALTER COLUMN added_at SET DEFAULT runtime.clock(), ALTER COLUMN added_by SET DEFAULT coalesce(current_setting('referral.by', true), '');
ALTER TABLE notifier.weekly ALTER COLUMN added_at SET DEFAULT runtime.clock(), ALTER COLUMN added_by SET DEFAULT coalesce(current_setting('referral.by', true), '');
ALTER TABLE notifier.single ALTER COLUMN added_at SET DEFAULT runtime.clock(), ALTER COLUMN added_by SET DEFAULT coalesce(current_setting('referral.by', true), '');
ALTER TABLE notifier.absence ALTER COLUMN added_at SET DEFAULT runtime.clock(), ALTER COLUMN added_by SET DEFAULT coalesce(current_setting('referral.by', true), '');
ALTER TABLE notifier.pause ALTER COLUMN added_at SET DEFAULT runtime.clock(), ALTER COLUMN added_by SET DEFAULT coalesce(current_setting('referral.by', true), '');
CREATE UNIQUE INDEX person_held ON notifier.person (account) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX contact_held ON notifier.contact (account, channel) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX weekly_held ON notifier.weekly (account, agency, rung, weekday, start_minute, end_minute, since, until) NULLS NOT DISTINCT WHERE ended_at IS NULL;
CREATE UNIQUE INDEX single_held ON notifier.single (account, agency, rung, starts, ends) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX absence_held ON notifier.absence (account, starts, ends) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX pause_held ON notifier.pause ((true)) WHERE ended_at IS NULL;
ALTER TABLE notifier.asked ADD COLUMN handover bigint;
ALTER TABLE notifier.delivery DROP COLUMN language,    -- the inbox account's, read when the message is written
    ADD COLUMN thrown boolean NOT NULL DEFAULT false;  -- by `referral duty resume --drop`: the sender ends it, and the log says so
COMMENT ON COLUMN notifier.delivery.planned_at IS 'when it was first due: what retries and pauses do not move';
