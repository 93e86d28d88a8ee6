-- Keys that are compared without regard to case and blanks at the ends. The SQL fold is that of identity::Key: ASCII alone.
CREATE INDEX source_record_by_folded_number ON source_record
    (tenant_id, connection_id, lower(btrim(employee_number, E' \t\r\n') COLLATE "C")) WHERE employee_number IS NOT NULL;
CREATE INDEX source_record_by_folded_remote_id ON source_record
    (tenant_id, connection_id, lower(btrim(remote_id, E' \t\r\n') COLLATE "C")) WHERE remote_id IS NOT NULL;

ALTER TABLE review ADD COLUMN before jsonb;
COMMENT ON COLUMN review.before IS 'Whose each record was when the review was decided: person id or null by source id. What taking the decision back restores.';

CREATE TABLE given_name (
    tenant_id uuid NOT NULL REFERENCES tenant,
    name text COLLATE "C" NOT NULL,
    person_id uuid NOT NULL,
    shown text NOT NULL,
    base text COLLATE "C" NOT NULL,
    given_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name),
    FOREIGN KEY (tenant_id, person_id) REFERENCES person (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE given_name IS 'A userName that a connection''s pattern gave to a person. It stays theirs for ever: nobody else gets it, and a user that is made again gets it back.';
COMMENT ON COLUMN given_name.name IS 'Folded, as resource.user_name.';
COMMENT ON COLUMN given_name.shown IS 'As it was given.';
COMMENT ON COLUMN given_name.base IS 'What the pattern made of the person before a number was put in: tells whether the person was renamed since.';
CREATE INDEX given_name_by_person ON given_name (tenant_id, person_id, given_at);

CREATE TABLE rekey (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    from_id uuid NOT NULL,
    by text[] NOT NULL,
    old_ids text[] NOT NULL,
    new_ids text[] NOT NULL,
    PRIMARY KEY (tenant_id, run_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, from_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE rekey IS 'What a run of cause rekey moves: the links of people from another connection to the run''s own.';
COMMENT ON COLUMN rekey.by IS 'By what records are recognised, in order: map, remote_id, employee_number.';
COMMENT ON COLUMN rekey.old_ids IS 'Source ids in the old connection, pairwise with new_ids; empty without a mapping.';
COMMENT ON COLUMN source_record.outcome IS 'What became of the record: linked, filtered, skipped, review, held, unreadable, gone, moved (to another connection).';
