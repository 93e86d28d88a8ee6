ALTER TABLE vendor_token
    ADD COLUMN made_at timestamptz,
    ADD COLUMN refresh_sealed bytea,
    ADD COLUMN scope bytea;
COMMENT ON COLUMN vendor_token.made_at IS 'When the HR system gave it; null: by a version that did not note it.';
COMMENT ON COLUMN vendor_token.refresh_sealed IS 'What the next token is asked for with, sealed; it may be good for one use (RFC 6749 section 6).';
COMMENT ON COLUMN vendor_token.scope IS 'Digest of the credentials it was given for; with other credentials it is not used.';

CREATE TABLE sign_in_turn (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    holder uuid NOT NULL,
    until timestamptz NOT NULL,
    interrupted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE sign_in_turn IS 'Who is fetching a token of an HR system: one process at a time, since a new token may end the one before.';
COMMENT ON COLUMN sign_in_turn.holder IS 'A number of the sign-in''s own.';
COMMENT ON COLUMN sign_in_turn.until IS 'When the turn lapses, by the database''s clock.';
COMMENT ON COLUMN sign_in_turn.interrupted IS 'Whether an earlier holder began and never finished: a token may have been given and lost.';

CREATE TABLE consent (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    given_at timestamptz NOT NULL,
    given_by text NOT NULL,
    lost_at timestamptz,
    interrupted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE consent IS 'That somebody let us read an HR system, and whether that still holds.';
COMMENT ON COLUMN consent.given_by IS 'Who made the link by which consent was given.';
COMMENT ON COLUMN consent.lost_at IS 'When the HR system first refused to renew: consent is needed again.';
COMMENT ON COLUMN consent.interrupted IS 'Whether it was lost after a renewal that broke off.';
