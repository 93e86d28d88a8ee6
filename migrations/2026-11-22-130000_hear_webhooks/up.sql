-- Webhooks of HR systems: their addresses, what came before, and whom to look at.

CREATE TABLE webhook (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    key_digest bytea NOT NULL,
    sealed bytea NOT NULL,
    made_at timestamptz NOT NULL,
    ends_at timestamptz,
    looked bigint NOT NULL DEFAULT 0,
    ignored bigint NOT NULL DEFAULT 0,
    repeated bigint NOT NULL DEFAULT 0,
    unreadable bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    last_at timestamptz,
    last_failed_at timestamptz,
    last_failure text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE webhook IS 'An address under /hooks at which an HR system tells of changes. A connection has one, and for a while after a rotation the one before.';
COMMENT ON COLUMN webhook.key_digest IS 'SHA-256 of the random last part of the address.';
COMMENT ON COLUMN webhook.sealed IS 'That part and the secret, as JSON.';
COMMENT ON COLUMN webhook.ends_at IS 'From when it is refused; null: it stays.';
COMMENT ON COLUMN webhook.looked IS 'Deliveries that asked us to look at somebody.';
COMMENT ON COLUMN webhook.ignored IS 'Genuine deliveries that mean nothing to us.';
COMMENT ON COLUMN webhook.repeated IS 'Genuine deliveries that had come before.';
COMMENT ON COLUMN webhook.unreadable IS 'Genuine deliveries whose body is no JSON.';
COMMENT ON COLUMN webhook.refused IS 'Deliveries that did not prove themselves.';
COMMENT ON COLUMN webhook.last_at IS 'When the last genuine delivery came.';
COMMENT ON COLUMN webhook.last_failure IS 'Why the last one that was refused or unreadable was so; nothing of what it said.';
CREATE UNIQUE INDEX webhook_by_key ON webhook (key_digest);
CREATE INDEX webhook_by_connection ON webhook (tenant_id, connection_id);

CREATE TABLE webhook_delivery (
    tenant_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, webhook_id, digest),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhook (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE webhook_delivery IS 'Deliveries that came, by SHA-256 of their id, or of their time and body: the same one again is a replay.';
CREATE INDEX webhook_delivery_expired ON webhook_delivery (expires_at);

CREATE TABLE look (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    source_id text COLLATE "C" NOT NULL,
    due_at timestamptz,
    looked_at timestamptz,
    run_id uuid,
    PRIMARY KEY (tenant_id, connection_id, source_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE look IS 'Employees that webhooks ask us to look at. However many deliveries name one, it is one row.';
COMMENT ON COLUMN look.source_id IS 'The employee; empty: all of them.';
COMMENT ON COLUMN look.due_at IS 'From when to look; null: nothing is asked, the row only remembers the last look.';
COMMENT ON COLUMN look.looked_at IS 'When a run last took it; the next look keeps its distance.';
COMMENT ON COLUMN look.run_id IS 'The run that took it.';
CREATE INDEX look_due ON look (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX look_done ON look (looked_at) WHERE due_at IS NULL;
