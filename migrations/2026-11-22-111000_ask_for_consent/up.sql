CREATE TABLE oauth_client (
    connector text PRIMARY KEY,
    client_id text NOT NULL,
    sealed bytea,
    base_url text,
    set_at timestamptz NOT NULL
);
COMMENT ON TABLE oauth_client IS 'The operator''s OAuth client at a vendor, for all tenants whose connection has none of its own.';
COMMENT ON COLUMN oauth_client.sealed IS 'The client''s secret, sealed; null: a public client.';

COMMENT ON COLUMN oauth_client.base_url IS 'Only connections with this base_url use it; null: only those without one. Else its secret could be sent anywhere.';

CREATE TABLE setup_link (
    digest bytea PRIMARY KEY,
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    ended_at timestamptz,
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE setup_link IS 'Links with which somebody without an account connects an HR system, once.';
COMMENT ON COLUMN setup_link.digest IS 'SHA-256 of the link''s secret part, which is kept nowhere.';
COMMENT ON COLUMN setup_link.tries IS 'How often something was sent by it.';
COMMENT ON COLUMN setup_link.ended_at IS 'When it had done its work, or was replaced by a newer one.';
CREATE INDEX setup_link_connection ON setup_link (tenant_id, connection_id);

CREATE TABLE consent_request (
    state_digest bytea PRIMARY KEY,
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    revision integer NOT NULL,
    redirect text NOT NULL,
    sealed bytea,
    setup_link bytea REFERENCES setup_link ON DELETE CASCADE,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE consent_request IS 'Consent that was asked for and is awaited, each for one answer.';
COMMENT ON COLUMN consent_request.state_digest IS 'SHA-256 of the state that the vendor gives back (RFC 6749 section 10.12).';
COMMENT ON COLUMN consent_request.revision IS 'The settings that it was asked with.';
COMMENT ON COLUMN consent_request.redirect IS 'Where the answer was asked to go.';
COMMENT ON COLUMN consent_request.sealed IS 'The PKCE verifier (RFC 7636), sealed; null where the vendor knows none.';
COMMENT ON COLUMN consent_request.setup_link IS 'The setup link that it was asked by.';
CREATE INDEX consent_request_expiry ON consent_request (expires_at);
CREATE INDEX consent_request_connection ON consent_request (tenant_id, connection_id);
CREATE INDEX consent_request_setup_link ON consent_request (setup_link) WHERE setup_link IS NOT NULL;

CREATE INDEX vendor_token_renewal ON vendor_token (made_at) WHERE refresh_sealed IS NOT NULL;
