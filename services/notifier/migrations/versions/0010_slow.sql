-- Seconds from handed over to delivered of a provider's last receipts, newest last, and what follows from them (services/notifier/breaker.py).
ALTER TABLE notifier.provider ADD COLUMN took double precision[] NOT NULL DEFAULT '{}', ADD COLUMN slow boolean NOT NULL DEFAULT false;
-- Which provider took a message; null: not known, or there is only one way.
ALTER TABLE notifier.delivery ADD COLUMN provider text;
