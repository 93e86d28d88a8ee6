DROP INDEX walk_expired;
ALTER TABLE walk DROP COLUMN owed;
