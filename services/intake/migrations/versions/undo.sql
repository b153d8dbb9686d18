-- Until when routing lets the agency take back that its part of an offer is done; NULL: it does not.
ALTER TABLE intake.offer ADD COLUMN undo_until bigint;
