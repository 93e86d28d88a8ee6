-- How far the reads of a connection came, so that the next one may ask the HR system for changes alone.

CREATE TABLE read_mark (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    revision integer,
    mark jsonb,
    complete_at timestamptz,
    next_run uuid NOT NULL,
    next_revision integer NOT NULL,
    next_mark jsonb NOT NULL,
    next_complete_at timestamptz,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE read_mark IS 'How far the last committed read of a connection came, and how far the last read did whose run is not committed yet.';
COMMENT ON COLUMN read_mark.revision IS 'The settings revision it was read by; with another everything is read.';
COMMENT ON COLUMN read_mark.mark IS 'What changes are asked from: the HR system''s time when the read began, or the token that it gave; null: no read was committed.';
COMMENT ON COLUMN read_mark.complete_at IS 'When the last complete read ended, which alone can prove that somebody is gone.';
COMMENT ON COLUMN read_mark.next_run IS 'The run whose end makes the next mark the mark.';
COMMENT ON COLUMN read_mark.next_complete_at IS 'When that run''s read ended, if it was complete.';
