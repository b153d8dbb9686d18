-- Every refused record of ingress.<agency> has a row, also beside an accepted record under the same key.
ALTER TABLE intake.refusal ADD COLUMN record text NOT NULL DEFAULT '';     -- id of the record, derived from topic and offset: the same when it is read again
ALTER TABLE intake.refusal ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY; -- order of the refusals
ALTER TABLE intake.refusal DROP CONSTRAINT refusal_pkey;
ALTER TABLE intake.refusal ADD PRIMARY KEY (agency, key, record);
