-- One row for the watchman (services/watchman/alarms.py says what follows from it). It may read this view and no table.
-- alive: live instances. paused: seconds since sending was switched off. late: seconds by which the oldest alarm or unpublished event is late.
-- waits: knocks for an open question that were first due a minute ago, and nobody has tried, or it failed by our fault (blame.OURS).
-- unknocked: questions with such a knock of which nobody was handed any. What waits for the pace of a person who was told just now (pace.py)
-- does not count: 180 s after any message (a gap of 120), 780 s after the fifth in an hour (720 between two calls). away: loud channels by which such a knock was tried, or of which every provider's breaker is open.
-- positions: topic/partition -> next offset to read.
CREATE VIEW notifier.watch AS
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
        FROM notifier.lease, jsonb_each(positions) AS read (place, position)) AS positions
FROM clock, idle;
