CREATE TABLE planned_removal (
    tenant_id uuid NOT NULL REFERENCES tenant,
    user_id uuid NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    token_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
COMMENT ON TABLE planned_removal IS 'Users that somebody removes by hand, and when: the time until then is the notice.';
COMMENT ON COLUMN planned_removal.token_id IS 'The token by which it was ordered: the removal is done in its name.';
CREATE INDEX planned_removal_due ON planned_removal (at);
