-- What routing's alarms wait for: the oldest answer of a partition that was given to the notifier's door and is not on the topic yet. It may
-- stand in the queue, or in the batch that is being published. Knocks are not in it: a storm of them must not hold a deadline back.
CREATE INDEX queue_answers ON notifier.queue (partition, at) WHERE type = 'knock-answered.v1';
CREATE VIEW notifier.answered AS
    SELECT partition, min(at) AS oldest FROM (
        SELECT partition, at FROM notifier.queue WHERE type = 'knock-answered.v1' AND NOT sent
        UNION ALL
        SELECT q.partition, q.at FROM notifier.outbox o JOIN notifier.queue q USING (partition)
        WHERE q.type = 'knock-answered.v1' AND q.sent AND q.at >= o.oldest
    ) AS pending GROUP BY partition;
