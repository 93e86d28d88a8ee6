-- Two walks with one token and the same query must not move each other's marks; and marks that are too old are swept.
ALTER TABLE walk ADD COLUMN owed integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN walk.owed IS 'How many pages ended here whose next page has not been asked for: while there are any, no other walk may move the mark.';
CREATE INDEX walk_expired ON walk (expires_at);
