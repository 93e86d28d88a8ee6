-- What clients say of members and resources: names of the one, externalIds of the other.

ALTER TABLE membership ADD COLUMN display text;
COMMENT ON COLUMN membership.display IS 'The name that a client of the dialect entra gave the member when it was added; null: the member''s own name is shown.';

-- Two resources may have one externalId (RFC 7643 §3.1: it is the client's own, and its uniqueness is "none").
ALTER TABLE external_id DROP CONSTRAINT external_id_pkey,
    ADD PRIMARY KEY (tenant_id, client_id, kind, value, resource_id);
