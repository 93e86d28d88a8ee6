COMMENT ON COLUMN person.suspended IS NULL;
ALTER TABLE account DROP COLUMN no_grants;
DROP TABLE employment;
