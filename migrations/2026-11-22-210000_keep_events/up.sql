-- What people and other programs are told of.

CREATE TABLE event (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    ready_at timestamptz NOT NULL,
    connection_id uuid,
    app_id uuid,
    entity text COLLATE "C",
    person_id uuid,
    detail jsonb NOT NULL,
    routed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kind, key)
);
COMMENT ON TABLE event IS 'What happened that somebody is told of, written in the transaction of what happened; told by mail and webhook afterwards.';
COMMENT ON COLUMN event.kind IS 'One of the words of notice::EventKind.';
COMMENT ON COLUMN event.key IS 'What the event is about (a run, an account, a day): raised again it stays one event.';
COMMENT ON COLUMN event.ready_at IS 'Nobody is told before: a welcome on the first day, a deactivation once the apps have answered.';
COMMENT ON COLUMN event.entity IS 'The legal entity it belongs to; recipients of other entities are not told.';
COMMENT ON COLUMN event.detail IS 'Numbers and ids, and of personal data only what the text of the mail needs.';
COMMENT ON COLUMN event.routed_at IS 'When it was decided who is told.';
CREATE INDEX event_to_route ON event (ready_at) WHERE routed_at IS NULL;
CREATE INDEX event_by_person ON event (tenant_id, person_id) WHERE person_id IS NOT NULL;
CREATE INDEX event_by_age ON event (at);
