ALTER TABLE plan ADD COLUMN effects bytea;
COMMENT ON COLUMN plan.effects IS 'Over what the items do, without the ids and versions that differ from plan to plan and in any order: a preview and the plan of the publication that follows have the same.';

-- What a human declined in a plan, or undid of a run: HR still says so, and no later run does it by itself.
CREATE TABLE kept_back (
    tenant_id uuid NOT NULL REFERENCES tenant,
    owner_id uuid NOT NULL,
    subject text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    value bytea NOT NULL,
    person_id uuid,
    plan_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('declined', 'undone')),
    at timestamptz NOT NULL,
    by text NOT NULL,
    PRIMARY KEY (tenant_id, owner_id, subject, path),
    FOREIGN KEY (tenant_id, person_id) REFERENCES person (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE kept_back IS 'Parts of effects that no run has any more until somebody releases them, or HR says something else.';
COMMENT ON COLUMN kept_back.owner_id IS 'The connection.';
COMMENT ON COLUMN kept_back.subject IS 'The person''s id, or record: and the source id of somebody who is not there yet.';
COMMENT ON COLUMN kept_back.path IS 'An attribute path, group:<key>, create, disable or remove.';
COMMENT ON COLUMN kept_back.value IS 'Keyed digest of what HR said; another value is news and is no longer kept back.';
CREATE INDEX kept_back_by_person ON kept_back (tenant_id, person_id);
