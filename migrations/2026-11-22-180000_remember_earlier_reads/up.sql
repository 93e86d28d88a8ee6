-- What the latest complete reads of a connection looked like, so that the guard can say what is missing from a new one;
-- and when a connection last knew what HR says.

CREATE TABLE read_base (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    run_id uuid NOT NULL,
    at timestamptz NOT NULL,
    rules bytea NOT NULL,
    profile jsonb NOT NULL,
    leavers bigint NOT NULL DEFAULT 0,
    counts boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, connection_id, run_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE read_base IS 'The latest ten complete reads of a connection in numbers: the base that a new read is compared with.';
COMMENT ON COLUMN read_base.rules IS 'Digest of the settings by which it was read: fields are compared between reads of the same settings only.';
COMMENT ON COLUMN read_base.profile IS 'Records in all and per entity, and how many of them have a value in each field; nothing of a person.';
COMMENT ON COLUMN read_base.leavers IS 'People whom the run disabled or removed.';
COMMENT ON COLUMN read_base.counts IS 'The run was applied; a read that was not is no base for others.';

ALTER TABLE connection ADD COLUMN fresh_at timestamptz;
COMMENT ON COLUMN connection.fresh_at IS 'When the latest read began whose run was applied: what HR said by then is known here.';
ALTER TABLE connection ADD COLUMN connected_at timestamptz;
COMMENT ON COLUMN connection.connected_at IS 'When it was last published, or consent given again: from then on it should be fresh.';
ALTER TABLE connection ADD COLUMN stale_after integer;
COMMENT ON COLUMN connection.stale_after IS 'After so many seconds without an applied read it counts as stale; null: never, since it runs by hand.';
ALTER TABLE connection ADD COLUMN stale_at timestamptz;
COMMENT ON COLUMN connection.stale_at IS 'When it was found stale; null while it is fresh.';

UPDATE connection SET connected_at = created_at, stale_after = 90000 WHERE next_run_at IS NOT NULL;
