CREATE INDEX plan_waiting ON plan (tenant_id, owner_id) WHERE state = 'awaiting_approval';
DROP INDEX plan_not_ended;
UPDATE plan SET state = 'rejected' WHERE state = 'failed';
ALTER TABLE plan DROP CONSTRAINT plan_state_check;
ALTER TABLE plan ADD CONSTRAINT plan_state_check
    CHECK (state IN ('open', 'dry', 'awaiting_approval', 'approved', 'applied', 'rejected', 'superseded'));
ALTER TABLE plan DROP COLUMN reason;
