CREATE TABLE connection_check (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    revision integer NOT NULL,
    at timestamptz NOT NULL,
    ok boolean NOT NULL,
    steps jsonb NOT NULL,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE connection_check IS 'What the last check of a connection found: whoever sets it up goes on when the settings are proven.';
COMMENT ON COLUMN connection_check.revision IS 'The settings that were checked; a check of others proves nothing of the present ones.';

ALTER TABLE consent_request ADD COLUMN publishes boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN consent_request.publishes IS 'When consent comes, the settings it was asked with go live in the same transaction.';
ALTER TABLE setup_link ADD COLUMN publishes boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN setup_link.publishes IS 'When what was entered by the link is proven, it goes live: whoever made the link said so.';
