-- Which providers of a channel work: the breaker of each, shared by all instances. Times are of the true clock.
CREATE TABLE notifier.provider (
    channel text NOT NULL,
    name text NOT NULL,                      -- by its place in the settings; never an address
    since bigint NOT NULL,
    recent boolean[] NOT NULL DEFAULT '{}',
    opened integer NOT NULL DEFAULT 0,
    open_until bigint,
    probe_until bigint,
    succeeded_at bigint,
    PRIMARY KEY (channel, name)
);
