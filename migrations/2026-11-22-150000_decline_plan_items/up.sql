-- A plan is approved in part: what was not chosen is declined, and stays visible as such.
ALTER TABLE plan_item DROP CONSTRAINT plan_item_state_check;
ALTER TABLE plan_item ADD CONSTRAINT plan_item_state_check
    CHECK (state IN ('planned', 'applied', 'refused', 'declined')) NOT VALID;
ALTER TABLE plan_item VALIDATE CONSTRAINT plan_item_state_check;
COMMENT ON COLUMN plan_item.state IS 'planned; then applied, refused (see note), or declined by whoever approved the rest.';
COMMENT ON COLUMN plan_item.note IS 'What was said when it was refused or declined; never a value.';
CREATE INDEX plan_by_owner ON plan (tenant_id, owner_id, id DESC);
CREATE INDEX plan_item_by_action ON plan_item (tenant_id, plan_id, action, ordinal);
COMMENT ON INDEX plan_item_by_action IS 'For pages of the few items of one action among a million others.';
