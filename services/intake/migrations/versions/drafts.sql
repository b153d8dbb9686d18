-- What a person has entered in the form of a section of the case file and not sent: for this person alone, sealed under the case's key.
CREATE TABLE intake.draft (
    account text NOT NULL,
    offer_id text NOT NULL,
    section text NOT NULL,
    case_id text NOT NULL,
    since int NOT NULL,                     -- the version with which the form began
    at bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (account, offer_id, section)
);
CREATE INDEX draft_case ON intake.draft (case_id);
