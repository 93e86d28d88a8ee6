ALTER TABLE account DROP COLUMN severed, DROP COLUMN candidates, DROP COLUMN answers;
DELETE FROM attempt USING operation o WHERE o.action = 'hook' AND attempt.tenant_id = o.tenant_id
    AND attempt.app_id = o.app_id AND attempt.operation_id = o.id;
DELETE FROM operation WHERE action = 'hook';
ALTER TABLE operation DROP CONSTRAINT operation_action_check;
ALTER TABLE operation ADD CONSTRAINT operation_action_check
    CHECK (action IN ('create', 'update', 'disable', 'delete', 'members'));
