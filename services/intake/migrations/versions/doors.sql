-- What the doors keep. Ids are text, times bigint µs UTC. Columns of type bytea named sealed are AES-256-GCM under a key of the case.
CREATE TABLE intake.agency_token (
    hash bytea PRIMARY KEY,                 -- SHA-256 of a token of 256 random bits
    agency text NOT NULL,
    label text NOT NULL,                    -- which system holds it, in the agency's words
    created_at bigint NOT NULL,
    revoked_at bigint
);

-- One row for each thing that was taken under a key: the namespace of Idempotency-Key and of ce_id on ingress.<agency>.
CREATE TABLE intake.submission (
    agency text NOT NULL,
    key bytea NOT NULL,                     -- HMAC of the key
    body bytea NOT NULL,                    -- HMAC of the parsed body
    kind text NOT NULL,                     -- referral, response, consent …
    id text NOT NULL,                       -- of the referral, response …
    case_id text NOT NULL,
    event_id text NOT NULL,
    received_at bigint NOT NULL,
    PRIMARY KEY (agency, key)
);
CREATE INDEX submission_case ON intake.submission (case_id);

-- What came in through ingress.<agency> under a key and could not be taken; a later good one under the same key stands above it.
CREATE TABLE intake.refusal (
    agency text NOT NULL,
    key bytea NOT NULL,
    code text NOT NULL,
    place text NOT NULL,
    hint text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (agency, key)
);

-- One row per case: locked by every reading, written by everything that may end reading.
CREATE TABLE intake.casefile (
    case_id text PRIMARY KEY,
    desk text NOT NULL,                     -- agency that gets what no rule can place
    drill boolean NOT NULL,
    opened_at bigint NOT NULL,
    closed_at bigint,
    sealed_at bigint,                       -- what was written until then is never disclosed again, also when the case is reopened
    sealed bytea NOT NULL,                  -- traits and consent as they hold now
    changed bigint NOT NULL DEFAULT 0       -- counts what ended or began reading
);

CREATE TABLE intake.referral (
    referral_id text PRIMARY KEY,
    case_id text NOT NULL,
    agency text NOT NULL,
    event_id text NOT NULL UNIQUE,
    received_at bigint NOT NULL,
    became text NOT NULL DEFAULT 'RECEIVED', -- RECEIVED, OPENED, ATTACHED, IGNORED
    withdrawn_at bigint
);
CREATE INDEX referral_case ON intake.referral (case_id);

-- The personal facts, by section. A new version never overwrites an older one; readers get the newest.
CREATE TABLE intake.section (
    case_id text NOT NULL,
    section text NOT NULL,
    version integer NOT NULL,
    agency text NOT NULL,                   -- who wrote it
    by text,                                -- account of the person
    at bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (case_id, section, version)
);

-- The words that go with an answer (the reason of a decision, the child's view): the event only says that they are here.
CREATE TABLE intake.recorded (
    case_id text NOT NULL,
    response_id text NOT NULL,
    need text NOT NULL,
    offer_id text NOT NULL,
    at bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (response_id, need)
);
CREATE INDEX recorded_case ON intake.recorded (case_id);

-- What each agency holds, as routing decided it.
CREATE TABLE intake.offer (
    offer_id text PRIMARY KEY,
    case_id text NOT NULL,
    agency text NOT NULL,
    track_id text NOT NULL,
    step text NOT NULL,
    round integer NOT NULL,
    seat integer NOT NULL,
    kind text NOT NULL,
    role text NOT NULL,
    service text NOT NULL,
    reach text NOT NULL,
    urgency text NOT NULL,
    ladder text[] NOT NULL,
    rung integer NOT NULL,
    shows text[] NOT NULL,
    words text[] NOT NULL,
    reasons text[] NOT NULL,
    codes text[] NOT NULL,
    needs text[] NOT NULL,
    skip text[] NOT NULL,
    state text NOT NULL,                    -- OFFERED ACKNOWLEDGED ACCEPTED ON_HOLD, or how it ended
    arrived boolean NOT NULL DEFAULT false,
    due bigint,
    due_what text NOT NULL,
    opened_at bigint NOT NULL,
    changed_at bigint NOT NULL,
    closed_at bigint,
    reason text NOT NULL DEFAULT '',
    declined_by text                        -- a decline ended reading; id of the InputIgnored by which routing would refuse it
);
CREATE INDEX offer_open ON intake.offer (agency, due) WHERE closed_at IS NULL;
CREATE INDEX offer_case ON intake.offer (case_id);
CREATE INDEX offer_calls ON intake.offer (case_id) WHERE closed_at IS NULL AND reach = 'PHONE';

CREATE TABLE intake.task (
    task_id text NOT NULL,
    desk text NOT NULL,                     -- every desk that the task has climbed to has its row
    case_id text NOT NULL,
    about text NOT NULL,
    track_id text,
    step text NOT NULL,
    seat integer NOT NULL,
    rung integer NOT NULL,
    due bigint,
    opened_at bigint NOT NULL,
    closed_at bigint,
    PRIMARY KEY (task_id, desk)
);
CREATE INDEX task_open ON intake.task (desk, due) WHERE closed_at IS NULL;
CREATE INDEX task_case ON intake.task (case_id);

CREATE TABLE intake.track (
    track_id text PRIMARY KEY,
    case_id text NOT NULL,
    pathway text NOT NULL
);
CREATE INDEX track_case ON intake.track (case_id);

CREATE TABLE intake.exclusion (
    case_id text NOT NULL,
    kind text NOT NULL,                     -- AGENCY, STAFF, RELATION
    actor text NOT NULL,
    PRIMARY KEY (case_id, kind, actor)
);

-- Cases that belong together, as the case said it. Links of the kind `raised` are seen from the raised case alone.
CREATE TABLE intake.link (
    case_id text NOT NULL,
    other text NOT NULL,
    how text NOT NULL,                      -- sibling, same-person, raised
    PRIMARY KEY (case_id, other)
);
CREATE INDEX link_other ON intake.link (other);

-- The timeline of a case: what, step, agency, offer and code of every event of routing that a person wants to see.
CREATE TABLE intake.happening (
    case_id text NOT NULL,
    seq bigint NOT NULL,                    -- case_seq in referral-routing
    at bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (case_id, seq)
);

-- The number of each agency's last signed record on its own topic.
CREATE TABLE intake.numbered (
    agency text PRIMARY KEY,
    last bigint NOT NULL
);
