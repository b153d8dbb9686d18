-- Every record of ingress.<agency> that could not be taken has its row, also beside what was taken under the same key.
ALTER TABLE intake.refusal ADD COLUMN record text NOT NULL DEFAULT '';     -- id of the record, from its place: read again it is the same
ALTER TABLE intake.refusal ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY; -- their order
ALTER TABLE intake.refusal DROP CONSTRAINT refusal_pkey;
ALTER TABLE intake.refusal ADD PRIMARY KEY (agency, key, record);
