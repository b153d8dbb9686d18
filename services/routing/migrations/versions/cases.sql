-- Routing's tables. All of them can be rebuilt from referral-routing and referral-policy (`referral recover`).
CREATE TABLE routing.case_state (
    case_id text PRIMARY KEY,
    state bytea NOT NULL                    -- nonce and AES-256-GCM under the case's key over msgpack of the state
);

-- A service with a number of places. The directory defines the capacity; held changes by difference.
CREATE TABLE routing.place (
    service_id text PRIMARY KEY,
    capacity int NOT NULL CHECK (capacity >= 0),
    held int NOT NULL DEFAULT 0 CHECK (held >= 0)
);

-- Every activated bundle. The newest confirmed one is in force, from the next batch on.
CREATE TABLE routing.policy (
    number int PRIMARY KEY CHECK (number > 0),
    digest text NOT NULL,
    files bytea NOT NULL,                   -- msgpack: path below policy/ → exact bytes
    activated bigint NOT NULL,
    confirmed bigint,                       -- time at which the broker had it
    UNIQUE (number, digest)
);
