ALTER TABLE app DROP COLUMN shows_members;
DROP TABLE drift_member;
