-- A plan that can no longer be applied ends, and says why.
ALTER TABLE plan ADD COLUMN reason text;
COMMENT ON COLUMN plan.reason IS 'Why it ended otherwise than applied or rejected, in words without personal data; null where nobody has to be told.';
ALTER TABLE plan DROP CONSTRAINT plan_state_check;
ALTER TABLE plan ADD CONSTRAINT plan_state_check
    CHECK (state IN ('open', 'dry', 'awaiting_approval', 'approved', 'applied', 'rejected', 'superseded', 'failed'));
CREATE INDEX plan_not_ended ON plan (tenant_id, owner_id) WHERE state IN ('open', 'awaiting_approval', 'approved');
DROP INDEX plan_waiting;

-- Plans of runs that have ended: one that stopped while it was being applied is kept, since its run may go on.
UPDATE plan p SET state = 'superseded', reason = 'its run has ended'
FROM run r
WHERE r.tenant_id = p.tenant_id AND r.id = p.owner_id
  AND r.state IN ('done', 'partial', 'failed', 'cancelled', 'rejected', 'superseded')
  AND (p.state IN ('open', 'awaiting_approval') OR (p.state = 'approved' AND r.plan_id IS DISTINCT FROM p.id));
