COMMENT ON COLUMN source_record.outcome IS 'What became of the record: linked, filtered, skipped, review, held, unreadable, gone.';
DROP TABLE rekey;
DROP TABLE given_name;
ALTER TABLE review DROP COLUMN before;
DROP INDEX source_record_by_folded_remote_id;
DROP INDEX source_record_by_folded_number;
