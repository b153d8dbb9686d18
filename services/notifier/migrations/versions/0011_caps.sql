-- What each paid channel carried in a local day, µs UTC, and its cap (services/notifier/caps.py); most: null without a cap.
CREATE TABLE notifier.spent (
    channel text NOT NULL,
    begins bigint NOT NULL,
    ends bigint NOT NULL,
    messages integer NOT NULL,
    most integer,
    PRIMARY KEY (channel, begins)
);
