-- One row: urgent questions that wait where no loud channel reaches anybody on duty (services/notifier/holes.py), and the true time of the count.
CREATE TABLE notifier.hole (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    count integer NOT NULL DEFAULT 0,
    counted_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO notifier.hole DEFAULT VALUES;
-- The view of 0007 with three columns more. holes: null if nobody has counted for a minute. counted: seconds since somebody has; null while
-- no channel wakes anybody. canary: seconds since a call to our own number was
-- last answered (services/notifier/canary.py), or since there is one; null without one.
CREATE OR REPLACE VIEW notifier.watch AS
WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + offset_us AS now FROM runtime.clock),
idle AS (SELECT min(added_at) AS since FROM notifier.pause WHERE ended_at IS NULL),
waits AS (
    SELECT d.* FROM clock, idle, notifier.asked a JOIN notifier.delivery d ON d.asked = a.id AND d.rung = a.rung
    WHERE a.state = 'OPEN' AND idle.since IS NULL AND NOT d.thrown AND d.planned_at < clock.now - 60 * 1000000
    AND (d.state = 'WAITING' AND d.reason IS NULL OR d.state IN ('WAITING', 'FAILED') AND d.reason IN
        ('server-away', 'server-busy', 'server-refuses-us', 'not-secured', 'no-answer', 'no-channel', 'gave-up'))
)
SELECT
    (SELECT count(*) FROM notifier.instance WHERE alive_until > clock_timestamp()) AS alive,
    (clock.now - idle.since) / 1e6::float8 AS paused,
    (SELECT count(DISTINCT w.asked) FROM waits w
        WHERE NOT EXISTS (SELECT FROM notifier.delivery s WHERE s.asked = w.asked AND s.rung = w.rung AND s.state = 'SENT')
        AND NOT EXISTS (SELECT FROM notifier.delivery s WHERE s.person = w.person AND s.channel = w.channel AND s.state = 'SENT'
            AND s.ended_at > clock.now - 180 * 1000000)
        AND (SELECT count(*) < 5 OR max(s.ended_at) < clock.now - 780 * 1000000 FROM notifier.delivery s
            WHERE s.person = w.person AND s.channel = w.channel AND s.state = 'SENT'
            AND s.ended_at > clock.now - 3600 * 1000000::bigint)) AS unknocked,
    greatest(0, clock.now - (SELECT min(at) FROM notifier.alarm), clock.now - (SELECT min(oldest) FROM notifier.waiting)) / 1e6::float8 AS late,
    ARRAY(SELECT channel FROM waits WHERE state = 'WAITING' AND reason IS NOT NULL AND channel IN ('sms', 'voice')
        UNION SELECT channel FROM notifier.provider WHERE channel IN ('sms', 'voice') GROUP BY channel
        HAVING bool_and(coalesce(open_until > extract(epoch FROM clock_timestamp()) * 1000000, false)) ORDER BY 1) AS away,
    (SELECT coalesce(jsonb_object_agg(read.place, read.position -> 0), '{}')
        FROM notifier.lease, jsonb_each(positions) AS read (place, position)) AS positions,
    (SELECT count FROM notifier.hole WHERE counted_at > clock_timestamp() - interval '1 minute') AS holes,
    (SELECT extract(epoch FROM clock_timestamp() - nullif(counted_at, '-infinity'))::float8 FROM notifier.hole) AS counted,
    (SELECT (clock.now - greatest(p.added_at, (SELECT max(s.ended_at) FROM notifier.delivery s WHERE s.person = p.account
        AND s.channel = 'voice' AND s.state = 'SENT'))) / 1e6::float8
        FROM notifier.person p WHERE p.account = 'canary' AND p.ended_at IS NULL) AS canary
FROM clock, idle;
