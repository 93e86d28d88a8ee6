DROP TABLE drift;
DROP TABLE compare;
ALTER TABLE app DROP COLUMN compare_at;
DROP INDEX plan_approved;
DROP INDEX account_waiting;
ALTER TABLE account DROP COLUMN removing, DROP COLUMN allowed, DROP COLUMN waits;
