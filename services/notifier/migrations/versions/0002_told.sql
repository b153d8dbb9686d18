-- How often somebody was woken of late is asked at each claim.
CREATE INDEX delivery_told ON notifier.delivery (person, channel, ended_at);
