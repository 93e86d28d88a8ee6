-- Taking out what nobody chose to read, erasing people, and how long things are kept.
ALTER TABLE connection ADD COLUMN blanked_revision integer;
COMMENT ON COLUMN connection.blanked_revision IS 'The settings revision by which fields that are not read were last taken out of its stored records.';

CREATE TABLE erased_record (
    tenant_id uuid NOT NULL REFERENCES tenant,
    connection_id uuid NOT NULL,
    id uuid NOT NULL,
    sealed bytea NOT NULL,
    reason text COLLATE "C" NOT NULL CHECK (reason IN ('erased', 'left')),
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE erased_record IS 'Records of people who were erased: no run takes them in again.';
COMMENT ON COLUMN erased_record.sealed IS 'The record''s id in the HR system, sealed: without the master key nobody can tell whose it was.';
COMMENT ON COLUMN erased_record.reason IS 'erased: somebody asked for it. left: retention let the person go; who is employed again is taken in.';

CREATE TABLE erasure (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    subject_id uuid NOT NULL,
    accounts text COLLATE "C" NOT NULL CHECK (accounts IN ('leave', 'disable', 'delete')),
    state text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'done')),
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    done_at timestamptz,
    rows jsonb NOT NULL DEFAULT '{}',
    accounts_left integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE erasure IS 'That somebody was erased: numbers, and an id that means nothing any more.';
COMMENT ON COLUMN erasure.subject_id IS 'The person, or the user where no HR system knew them.';
COMMENT ON COLUMN erasure.state IS 'waiting: apps are still being told; done: everything is gone.';
COMMENT ON COLUMN erasure.rows IS 'How many rows went, by place.';
COMMENT ON COLUMN erasure.accounts_left IS 'Accounts that still stood in apps when everything went.';
CREATE INDEX erasure_waiting ON erasure (asked_at) WHERE state = 'waiting';

CREATE TABLE retention (
    tenant_id uuid PRIMARY KEY REFERENCES tenant,
    periods jsonb NOT NULL DEFAULT '{}',
    changed_at timestamptz,
    changed_by text,
    pruned_at timestamptz
);
COMMENT ON TABLE retention IS 'How long a tenant keeps what. No row: as the program says.';
COMMENT ON COLUMN retention.periods IS 'Days by what is kept, where it differs from what the program says; null: for ever.';
COMMENT ON COLUMN retention.pruned_at IS 'When what was too old was last let go of.';

CREATE TABLE account_wipe (
    tenant_id uuid NOT NULL REFERENCES tenant,
    resource_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, resource_id)
);
COMMENT ON TABLE account_wipe IS 'Users whose accounts are to be deleted in every live app once the user is gone, whatever the app''s own steps say.';
