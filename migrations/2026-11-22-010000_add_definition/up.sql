-- A tenant's own schemas and resource types, beside those that come with the program.

CREATE TABLE definition (
    tenant_id uuid NOT NULL REFERENCES tenant,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('schema', 'type')),
    name text COLLATE "C" NOT NULL,
    body jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, kind, name)
);
COMMENT ON TABLE definition IS 'A tenant''s own schemas and resource types. Every process keeps a copy for seconds and hears of changes on the channel bridge_schema.';
COMMENT ON COLUMN definition.name IS 'URN of a schema, or name of a resource type, as registered; no two of a tenant differ only in case.';
COMMENT ON COLUMN definition.body IS 'A schema by RFC 7643 section 7, or a resource type by section 6. Of a type that comes with the program: only the extensions that the tenant adds.';
