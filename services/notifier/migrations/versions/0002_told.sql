-- Each claim counts the recent messages to a person.
CREATE INDEX delivery_told ON notifier.delivery (person, channel, ended_at);
