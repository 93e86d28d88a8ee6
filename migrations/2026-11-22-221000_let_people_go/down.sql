DROP TABLE account_wipe;
DROP TABLE retention;
DROP TABLE erasure;
DROP TABLE erased_record;
ALTER TABLE connection DROP COLUMN blanked_revision;
