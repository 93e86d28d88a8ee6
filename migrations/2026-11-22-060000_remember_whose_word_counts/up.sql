-- Whose word counts for users who come from HR, what stays deleted, and the realms of inbound SCIM.

ALTER TABLE resource ADD COLUMN writers jsonb;
COMMENT ON COLUMN resource.writers IS 'Of users who come from HR: attribute path to the party whose value stands there although it is not HR''s (client:<id>, or client when the user was there before HR knew it). Null: none.';

ALTER TABLE connection ADD COLUMN authority jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN connection.authority IS 'Of the live revision: attribute path to hr, client or refuse; the door of SCIM clients heeds it. What is not named is the clients'' own.';
ALTER TABLE connection ADD COLUMN realm_seq bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN connection.realm_seq IS 'Of a connection that SCIM clients write into: the last change in its realm (tenant_id = the connection''s id in resource, change and the like) that a run was queued for.';

CREATE TABLE tombstone (
    tenant_id uuid NOT NULL REFERENCES tenant,
    person_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    user_name text COLLATE "C",
    at timestamptz NOT NULL,
    party text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, person_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES person (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE tombstone IS 'People from HR whose user a client or an admin deleted: no run makes it again before it is released.';
COMMENT ON COLUMN tombstone.user_name IS 'The userName it had, folded: a client that makes the user anew releases it.';
COMMENT ON COLUMN tombstone.party IS 'Who deleted it: client:<id> or admin.';
CREATE INDEX tombstone_by_resource ON tombstone (tenant_id, resource_id);

-- Until now every user that was gone stayed gone.
INSERT INTO tombstone (tenant_id, person_id, resource_id, at, party)
SELECT person.tenant_id, person.id, person.user_id, now(), 'admin' FROM person
WHERE person.user_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM resource WHERE resource.tenant_id = person.tenant_id AND resource.id = person.user_id);

-- A realm has a chain of its own, and is no tenant.
ALTER TABLE change_chain DROP CONSTRAINT change_chain_tenant_id_fkey;
COMMENT ON COLUMN change_chain.tenant_id IS 'The tenant, or the connection whose realm it is.';
