-- A descending list begins with those who have no value: without an index everybody is looked at to find them.
CREATE INDEX resource_no_display_name ON resource (tenant_id, kind, id) WHERE display_name IS NULL;
COMMENT ON INDEX resource_no_display_name IS 'For lists sorted by displayName: who has none, in the order of ids.';
CREATE INDEX resource_no_user_name ON resource (tenant_id, kind, id) WHERE user_name IS NULL AND kind = 'User';
COMMENT ON INDEX resource_no_user_name IS 'For users sorted by userName: who has none, in the order of ids; hardly anybody.';
