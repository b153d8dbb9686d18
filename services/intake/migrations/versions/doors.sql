-- Tables of the API and the pages. Ids are text, times bigint µs UTC. Columns of type bytea named sealed are AES-256-GCM under a key of the case.
CREATE TABLE intake.agency_token (
    hash bytea PRIMARY KEY,                 -- SHA-256 of a token of 256 random bits
    agency text NOT NULL,
    label text NOT NULL,                    -- name of the system that holds it, in the agency's words
    created_at bigint NOT NULL,
    revoked_at bigint
);

-- One row for each posting that was accepted under a key: the namespace of Idempotency-Key and of ce_id on ingress.<agency>.
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

-- Records of ingress.<agency> that were refused, by key. A later accepted record under the same key takes precedence.
CREATE TABLE intake.refusal (
    agency text NOT NULL,
    key bytea NOT NULL,
    code text NOT NULL,
    place text NOT NULL,
    hint text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (agency, key)
);

-- One row for each case. Every reading locks it, and every change that may end reading writes it.
CREATE TABLE intake.casefile (
    case_id text PRIMARY KEY,
    desk text NOT NULL,                     -- agency that gets the tasks that no rule can place
    drill boolean NOT NULL,
    opened_at bigint NOT NULL,
    closed_at bigint,
    sealed_at bigint,                       -- sections written until then are never disclosed again, also when the case is reopened
    sealed bytea NOT NULL,                  -- traits and consent in force
    changed bigint NOT NULL DEFAULT 0       -- number of changes that ended or began reading
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
    agency text NOT NULL,                   -- the writer's
    by text,                                -- account of the person
    at bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (case_id, section, version)
);

-- Texts recorded with an answer (the reason of a decision, the child's view). The event contains only their names.
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

-- Offers of each agency, as routing decided them.
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
    state text NOT NULL,                    -- OFFERED ACKNOWLEDGED ACCEPTED ON_HOLD, or the way in which it ended
    arrived boolean NOT NULL DEFAULT false,
    due bigint,
    due_what text NOT NULL,
    opened_at bigint NOT NULL,
    changed_at bigint NOT NULL,
    closed_at bigint,
    reason text NOT NULL DEFAULT '',
    declined_by text                        -- not NULL: a decline ended reading; id that routing's InputIgnored would have if it refused the decline
);
CREATE INDEX offer_open ON intake.offer (agency, due) WHERE closed_at IS NULL;
CREATE INDEX offer_case ON intake.offer (case_id);
CREATE INDEX offer_calls ON intake.offer (case_id) WHERE closed_at IS NULL AND reach = 'PHONE';

CREATE TABLE intake.task (
    task_id text NOT NULL,
    desk text NOT NULL,                     -- one row for each desk to which the task has escalated
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

-- Links between cases, stored with the case that names the other. A link of the kind `raised` is shown in the raised case alone.
CREATE TABLE intake.link (
    case_id text NOT NULL,
    other text NOT NULL,
    how text NOT NULL,                      -- sibling, same-person, raised
    PRIMARY KEY (case_id, other)
);
CREATE INDEX link_other ON intake.link (other);

-- The timeline of a case: word, step, agency, offer and code of every event of routing that a reader may need.
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
