DROP INDEX plan_item_by_action;
DROP INDEX plan_by_owner;
COMMENT ON COLUMN plan_item.note IS NULL;
COMMENT ON COLUMN plan_item.state IS NULL;
UPDATE plan_item SET state = 'refused' WHERE state = 'declined';
ALTER TABLE plan_item DROP CONSTRAINT plan_item_state_check;
ALTER TABLE plan_item ADD CONSTRAINT plan_item_state_check CHECK (state IN ('planned', 'applied', 'refused'));
