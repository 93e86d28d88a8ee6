CREATE TABLE push_session (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('complete', 'changes')),
    state text NOT NULL CHECK (state IN ('open', 'committed', 'aborted', 'expired')),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    run_id uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE push_session IS 'One hand-over of records that a caller uploads page by page; nothing of it counts before it is committed.';
COMMENT ON COLUMN push_session.kind IS 'complete: it has everybody, so that who is not in it may leave; changes: only some.';
COMMENT ON COLUMN push_session.expires_at IS 'An open session that nobody touched until then is over.';
COMMENT ON COLUMN push_session.run_id IS 'The run that reads the committed session.';
CREATE INDEX push_session_open ON push_session (expires_at) WHERE state = 'open';
CREATE INDEX push_session_by_connection ON push_session (tenant_id, connection_id, id);
CREATE UNIQUE INDEX push_session_by_run ON push_session (tenant_id, run_id) WHERE run_id IS NOT NULL;

CREATE TABLE push_page (
    tenant_id uuid NOT NULL,
    session_id uuid NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    sealed bytea NOT NULL,
    records integer NOT NULL,
    problems integer NOT NULL,
    PRIMARY KEY (tenant_id, session_id, number),
    FOREIGN KEY (tenant_id, session_id) REFERENCES push_session (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE push_page IS 'A page of a session: its employees and what was wrong with single records, sealed as a whole. Deleted when the run has ended.';
COMMENT ON COLUMN push_page.number IS 'The caller''s number, from 1: the same number again takes the page''s place.';
