-- Every answer to an offer, and its effect, so that a person who answered second learns that the answer changed nothing.
CREATE TABLE intake.answer (
    decided_id text PRIMARY KEY,            -- id of the first event with which routing answers it
    case_id text NOT NULL,
    offer_id text NOT NULL,
    account text,                           -- NULL: the agency's system
    word text NOT NULL,
    at bigint NOT NULL,
    became text                             -- NULL: not decided yet; empty: it took effect; else the ignored-reason
);
CREATE INDEX answer_offer ON intake.answer (offer_id, at);
CREATE INDEX answer_case ON intake.answer (case_id);
