-- Leave of an agency's head: the time in which exercises may call its people at hours at which nothing else may (decision 0037).
CREATE TABLE notifier.night (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency text NOT NULL,
    starts bigint NOT NULL,
    ends bigint NOT NULL CHECK (ends > starts),
    added_at bigint NOT NULL DEFAULT runtime.clock(),
    added_by text NOT NULL DEFAULT coalesce(current_setting('referral.by', true), ''),
    ended_at bigint,
    ended_by text
);
CREATE INDEX night_agency ON notifier.night (agency);
