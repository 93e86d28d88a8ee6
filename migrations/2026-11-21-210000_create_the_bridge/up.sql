-- The first migration: every table that later work stands on. Ids are UUIDv7, times are UTC, tenant_id leads every key.
-- Texts that are looked up are folded by the program, so columns compare byte by byte (COLLATE "C").

-- ---------------------------------------------------------------- access
CREATE TABLE tenant (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE tenant IS 'One customer; owns everything below.';

CREATE TABLE client (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    profile jsonb NOT NULL DEFAULT '{}',
    connection_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON TABLE client IS 'A SCIM client as such ("Okta of Acme"): its tokens rotate, it stays and owns its externalIds.';
COMMENT ON COLUMN client.connection_id IS 'Set: what the client writes are employees of this connection of kind scim; null: it writes into the directory.';

CREATE TABLE token (
    id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES tenant,
    client_id uuid,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
COMMENT ON TABLE token IS 'A bearer token, kept as SHA-256. Without a tenant it is the operator''s.';
COMMENT ON COLUMN token.last_used_at IS 'Noted at most once a minute per token, not per request.';
CREATE INDEX token_by_tenant ON token (tenant_id, created_at);

CREATE TABLE audit_entry (
    id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES tenant,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL
);
COMMENT ON TABLE audit_entry IS 'Who did what, written in the transaction of the deed; never changed.';
CREATE INDEX audit_entry_by_tenant ON audit_entry (tenant_id, id);

-- ---------------------------------------------------------------- people (identity)
CREATE TABLE person (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    user_id uuid,
    lifecycle jsonb,
    suspended jsonb,
    next_look_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE person IS 'The resolved human behind one or more employees.';
COMMENT ON COLUMN person.lifecycle IS 'The last verdict: state, facts and the rule that decided.';
COMMENT ON COLUMN person.next_look_at IS 'The next instant at which the verdict may change without any change in HR.';
CREATE INDEX person_due ON person (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE UNIQUE INDEX person_by_user ON person (tenant_id, user_id) WHERE user_id IS NOT NULL;

-- ---------------------------------------------------------------- connections (sync)
CREATE TABLE connection (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    connector text NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'published', 'paused')),
    live_revision integer,
    draft_revision integer,
    next_run_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON TABLE connection IS 'One tenant''s one HR system.';
COMMENT ON COLUMN connection.next_run_at IS 'When the schedule starts the next run; null: by hand only.';
CREATE INDEX connection_due ON connection (next_run_at) WHERE next_run_at IS NOT NULL;

CREATE TABLE setting_revision (
    tenant_id uuid NOT NULL REFERENCES tenant,
    owner_id uuid NOT NULL,
    revision integer NOT NULL,
    owner_kind text NOT NULL CHECK (owner_kind IN ('connection', 'app')),
    body jsonb NOT NULL,
    sealed bytea,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (tenant_id, owner_id, revision)
);
COMMENT ON TABLE setting_revision IS 'Settings of connections and apps, versioned: draft beside live, diff, publish, roll back.';
COMMENT ON COLUMN setting_revision.sealed IS 'The secrets, sealed, as a JSON object by setting name.';

CREATE TABLE vendor_token (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    sealed bytea NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE vendor_token IS 'The access token that an HR system gave, shared by all processes.';

CREATE TABLE upload (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    id uuid NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE upload IS 'The latest file handed to a connection, sealed; the next run reads it.';

CREATE TABLE source_record (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    source_id text COLLATE "C" NOT NULL,
    person_id uuid,
    employee jsonb,
    sealed bytea,
    digest bytea NOT NULL,
    outcome text NOT NULL,
    outcome_detail jsonb,
    entity_key text COLLATE "C" NOT NULL DEFAULT '',
    employee_number text COLLATE "C",
    work_email text COLLATE "C",
    remote_id text COLLATE "C",
    missing_reads integer NOT NULL DEFAULT 0,
    missing_since timestamptz,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, source_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, person_id) REFERENCES person (tenant_id, id)
);
COMMENT ON TABLE source_record IS 'An employee as last read. Untouched while the record does not change.';
COMMENT ON COLUMN source_record.employee IS 'The canonical employee without its sensitive part; null for people outside the filter.';
COMMENT ON COLUMN source_record.digest IS 'HMAC over record and settings revision: an unchanged record costs one comparison.';
COMMENT ON COLUMN source_record.outcome IS 'What became of the record: linked, filtered, skipped, review, held, unreadable, gone.';
COMMENT ON COLUMN source_record.outcome_detail IS 'What stands of the record in words ("messages"), and "waits": its manager has no user yet. Null: nothing.';
COMMENT ON COLUMN source_record.missing_reads IS 'How many complete reads in a row did not have it.';
COMMENT ON COLUMN source_record.work_email IS 'Folded, for suggestions only.';
CREATE INDEX source_record_by_person ON source_record (tenant_id, person_id);
CREATE INDEX source_record_by_number ON source_record (tenant_id, connection_id, entity_key, employee_number) WHERE employee_number IS NOT NULL;
CREATE INDEX source_record_remarked ON source_record (tenant_id, connection_id) WHERE outcome_detail IS NOT NULL;
CREATE INDEX source_record_missing ON source_record (tenant_id, connection_id) WHERE missing_reads > 0;
CREATE INDEX source_record_by_email ON source_record (tenant_id, work_email) WHERE work_email IS NOT NULL;

CREATE TABLE run (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'reading', 'planning', 'awaiting_approval', 'applying', 'done', 'partial', 'failed', 'cancelled', 'rejected', 'superseded')),
    dry_run boolean NOT NULL,
    cause text NOT NULL,
    actor text NOT NULL,
    revision integer NOT NULL,
    plan_id uuid,
    coverage jsonb,
    counts jsonb NOT NULL DEFAULT '{}',
    progress jsonb NOT NULL DEFAULT '{}',
    error jsonb,
    queued_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    cancel_asked boolean NOT NULL DEFAULT false,
    lease_owner uuid,
    lease_until timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE run IS 'One sync of a connection: read, plan, guard, apply.';
CREATE UNIQUE INDEX run_one_under_way ON run (tenant_id, connection_id) WHERE state IN ('reading', 'planning', 'applying');
CREATE INDEX run_by_connection ON run (tenant_id, connection_id, id DESC);
CREATE INDEX run_open ON run (queued_at) WHERE state IN ('queued', 'reading', 'planning', 'applying');

CREATE TABLE run_outcome (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    ordinal integer NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    source_id text,
    employee_number text,
    person_id uuid,
    outcome text NOT NULL,
    field text,
    message text NOT NULL,
    PRIMARY KEY (tenant_id, run_id, ordinal),
    FOREIGN KEY (tenant_id, run_id) REFERENCES run (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE run_outcome IS 'What a run has to say of single people, only where it differs from the run before, and every skip with its reason.';

CREATE INDEX run_outcome_by_record ON run_outcome (tenant_id, source_id, run_id DESC);

CREATE UNLOGGED TABLE staging_page (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    page integer NOT NULL,
    seen text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, run_id, page)
);
COMMENT ON TABLE staging_page IS 'Source ids seen by a read, one row a page; gone when the run ends.';

CREATE UNLOGGED TABLE staging_record (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    source_id text COLLATE "C" NOT NULL,
    employee jsonb,
    sealed bytea,
    problems jsonb,
    digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, run_id, source_id)
);
COMMENT ON TABLE staging_record IS 'Records that a read found new or changed; gone when the run ends.';
COMMENT ON COLUMN staging_record.employee IS 'Null: the record named itself and could not be read.';
COMMENT ON COLUMN staging_record.problems IS 'What could not be read of the record, as a list of field and message.';

CREATE TABLE review (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    run_id uuid,
    source_ids text[] NOT NULL,
    candidates uuid[] NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'decided', 'gone')),
    decision jsonb,
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE review IS 'Records of which nobody but a human can say whose they are.';
CREATE UNIQUE INDEX review_open ON review (tenant_id, connection_id, source_ids) WHERE state = 'open';

-- ---------------------------------------------------------------- plans and guards
CREATE TABLE plan (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    cause text NOT NULL CHECK (cause IN ('run', 'app', 'due', 'reconcile', 'bulk', 'undo', 'decision')),
    owner_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'dry', 'awaiting_approval', 'approved', 'applied', 'rejected', 'superseded')),
    hash bytea NOT NULL,
    counts jsonb NOT NULL,
    verdict jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text,
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE plan IS 'What would be done, stored before anything is done. owner_id is the run or the app.';
COMMENT ON COLUMN plan.hash IS 'Over all items: an approval names it.';
CREATE INDEX plan_waiting ON plan (tenant_id, owner_id) WHERE state = 'awaiting_approval';

CREATE TABLE plan_item (
    tenant_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    ordinal integer NOT NULL,
    action text NOT NULL CHECK (action IN ('create', 'link', 'update', 'hold', 'disable', 'remove', 'skip', 'conflict')),
    person_id uuid,
    resource_id uuid,
    base_version bigint,
    diff jsonb NOT NULL,
    reason text NOT NULL,
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'applied', 'refused')),
    note text,
    PRIMARY KEY (tenant_id, plan_id, ordinal),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE plan_item IS 'One effect of a plan, with the difference it would make.';

CREATE TABLE hold (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    app_id uuid,
    person_id uuid,
    resource_id uuid,
    field text NOT NULL,
    old jsonb,
    new jsonb,
    detail text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'gone')),
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text,
    heeded boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE hold IS 'A decision that waits for a human.';
COMMENT ON COLUMN hold.heeded IS 'The account of the app was told to be looked at again since the decision.';
CREATE INDEX hold_unheeded ON hold (tenant_id, id) WHERE app_id IS NOT NULL AND NOT heeded AND state IN ('approved', 'rejected');
CREATE UNIQUE INDEX hold_open ON hold (tenant_id, owner_id, resource_id, field) WHERE state = 'open';

CREATE TABLE cap_use (
    tenant_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    action text NOT NULL,
    hour timestamptz NOT NULL,
    uses bigint NOT NULL,
    PRIMARY KEY (tenant_id, owner_id, action, hour)
);
COMMENT ON TABLE cap_use IS 'Creates, disables, removals and cleared values of an app or a writing token, by hour, for the rolling 24-hour caps.';

CREATE TABLE frozen (
    tenant_id uuid NOT NULL REFERENCES tenant,
    owner_id uuid NOT NULL,
    since timestamptz NOT NULL,
    reason text NOT NULL,
    by_whom text NOT NULL,
    PRIMARY KEY (tenant_id, owner_id)
);
COMMENT ON TABLE frozen IS 'What is frozen: an app, a writing client, or the whole tenant (owner_id = tenant_id).';

-- ---------------------------------------------------------------- how texts compare
CREATE FUNCTION scim_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C")
        ELSE translate(lower(upper(translate(value, 'ı', U&'\FDD0') COLLATE "und-x-icu")), 'ς' || U&'\FDD0', 'σı') COLLATE "C"
    END
$$;
COMMENT ON FUNCTION scim_fold IS 'Folds a text as the program does (scim::fold), for attributes whose values are not kept folded. Needs a server with ICU.';

CREATE FUNCTION scim_instant(value text) RETURNS timestamptz LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value ~ '^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d([.]\d+)?([Zz]|[+-]\d\d:\d\d)$' THEN value::timestamptz
        WHEN value ~ '^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d([.]\d+)?$' THEN (value || 'Z')::timestamptz
    END
$$;
COMMENT ON FUNCTION scim_instant IS 'A stored dateTime as an instant; without an offset it is UTC.';

-- ---------------------------------------------------------------- directory
CREATE TABLE resource (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    user_name text COLLATE "C",
    display_name text COLLATE "C",
    active boolean,
    created timestamptz NOT NULL,
    last_modified timestamptz NOT NULL,
    version bigint NOT NULL,
    person_id uuid,
    disabled_by text[] NOT NULL DEFAULT '{}',
    body jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 80);
COMMENT ON TABLE resource IS 'SCIM resources of every type; further types are data (RFC 7643 §6).';
COMMENT ON COLUMN resource.tenant_id IS 'Without a foreign key: its check would lock the one row of the tenant in every insert.';
COMMENT ON COLUMN resource.kind IS 'The resource type: User, Group …';
COMMENT ON COLUMN resource.user_name IS 'userName, folded; unique per tenant.';
COMMENT ON COLUMN resource.display_name IS 'displayName, folded.';
COMMENT ON COLUMN resource.version IS 'The number in the ETag W/"n" (RFC 7644 §3.14).';
COMMENT ON COLUMN resource.disabled_by IS 'Who holds the user disabled (hr, admin, client:<id>, app:<id>); empty means active may be true.';
COMMENT ON COLUMN resource.body IS 'Attributes in their registered spelling, without id, meta, externalId, groups and members.';
CREATE UNIQUE INDEX resource_user_name ON resource (tenant_id, kind, user_name) WHERE user_name IS NOT NULL;
CREATE INDEX resource_display_name ON resource (tenant_id, kind, display_name, id) WHERE display_name IS NOT NULL;
CREATE INDEX resource_by_kind ON resource (tenant_id, kind, id);
CREATE INDEX resource_by_person ON resource (tenant_id, person_id) WHERE person_id IS NOT NULL;

CREATE TABLE resource_key (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    keys bigint[] NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE resource_key IS 'Hashes of (tenant, type, path, folded value), so that equality on any attribute is one index look-up; rechecked on the row. Written and deleted by the statements that write and delete the row: a foreign key would lock it again in every insert.';
CREATE INDEX resource_key_keys ON resource_key USING gin (keys) WITH (fastupdate = off);

CREATE TABLE external_id (
    tenant_id uuid NOT NULL,
    client_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    resource_id uuid NOT NULL,
    hr boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, client_id, kind, value),
    FOREIGN KEY (tenant_id, resource_id) REFERENCES resource (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE external_id IS 'externalId as each client gave it (RFC 7643 §3.1).';
COMMENT ON COLUMN external_id.hr IS 'Given by a connection: shown to clients that have none of their own.';
CREATE UNIQUE INDEX external_id_by_resource ON external_id (tenant_id, resource_id, client_id);

CREATE TABLE membership (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_id uuid NOT NULL,
    member_kind text COLLATE "C" NOT NULL,
    origin text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id, member_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES resource (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, member_id) REFERENCES resource (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE membership IS 'Who is in which group, a row each.';
COMMENT ON COLUMN membership.origin IS 'Who put it there: hr or client:<id>; a run takes away only its own.';
CREATE INDEX membership_by_member ON membership (tenant_id, member_id, group_id);

CREATE TABLE org_group (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL,
    group_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, key),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, group_id) REFERENCES resource (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE org_group IS 'The group that stands for an org unit of a connection, by the rule and the unit''s key: a renamed unit keeps its group.';

CREATE TABLE change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    seq bigint,
    at timestamptz NOT NULL,
    resource_id uuid NOT NULL,
    kind text NOT NULL,
    action text NOT NULL CHECK (action IN ('create', 'update', 'delete', 'members')),
    version bigint NOT NULL,
    person_id uuid,
    delta jsonb,
    origin jsonb NOT NULL,
    salt bytea NOT NULL,
    digest bytea NOT NULL
);
COMMENT ON TABLE change IS 'The log: before and after per attribute path, members as deltas, with what caused it. Committed with its state.';
COMMENT ON COLUMN change.seq IS 'Its number in the tenant, given after commit by the sequencer: readers of the log follow the numbers, so none is skipped.';
COMMENT ON COLUMN change.digest IS 'Salted digest of the delta; the chain covers digests, so an erase deletes delta and salt and the chain still verifies.';
CREATE INDEX change_unnumbered ON change (id) WHERE seq IS NULL;
CREATE UNIQUE INDEX change_by_seq ON change (tenant_id, seq) WHERE seq IS NOT NULL;
-- Rows get into it when they are numbered, which writes their index entries anew anyway.
CREATE INDEX change_by_resource ON change (tenant_id, resource_id, seq) WHERE seq IS NOT NULL;

CREATE TABLE change_chain (
    tenant_id uuid PRIMARY KEY REFERENCES tenant,
    last_seq bigint NOT NULL,
    digest bytea NOT NULL
);
COMMENT ON TABLE change_chain IS 'The last number given in a tenant and the chain''s digest up to it.';

CREATE TABLE resource_total (
    tenant_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    total bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind)
);
COMMENT ON TABLE resource_total IS 'Resources per type up to change_chain.last_seq, kept by the sequencer.';

CREATE UNLOGGED TABLE walk (
    tenant_id uuid NOT NULL,
    token_id uuid NOT NULL,
    query bytea NOT NULL,
    next_index bigint NOT NULL,
    last_key jsonb NOT NULL,
    total bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, token_id, query, next_index)
);
COMMENT ON TABLE walk IS 'Where the next page of a paged list goes on (by key, so that nobody is lost), shared by all processes.';

-- ---------------------------------------------------------------- apps and accounts
CREATE TABLE app (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    mode text NOT NULL CHECK (mode IN ('observe', 'link', 'live', 'paused')),
    live_revision integer,
    draft_revision integer,
    dispatched_seq bigint NOT NULL DEFAULT 0,
    planned_revision integer,
    matched_at timestamptz,
    resume_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    trouble text,
    capabilities jsonb,
    lease_owner uuid,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON TABLE app IS 'A downstream SCIM service provider. Delivery leases a whole app: rate, order and breaker are the app''s.';
COMMENT ON COLUMN app.dispatched_seq IS 'Changes up to this number have been turned into looks at accounts.';
COMMENT ON COLUMN app.planned_revision IS 'The settings revision for which all accounts have been looked at.';
COMMENT ON COLUMN app.matched_at IS 'When the app''s existing accounts were last read and matched.';
COMMENT ON COLUMN app.capabilities IS 'What the app said of itself (RFC 7643 §5) when it was last matched: patch, filter.';
COMMENT ON COLUMN app.resume_at IS 'The app asked to be left alone until then (429, 503 or a breaker).';

CREATE TABLE account (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    remote_id text COLLATE "C",
    state text NOT NULL CHECK (state IN ('out_of_scope', 'skipped', 'held', 'pending', 'in_sync', 'parked', 'quarantined', 'disabled', 'removed', 'unmatched')),
    reason text NOT NULL DEFAULT '',
    since timestamptz NOT NULL,
    acknowledged_at timestamptz,
    verified_at timestamptz,
    known jsonb,
    look boolean NOT NULL DEFAULT true,
    priority smallint NOT NULL DEFAULT 5,
    due_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    adopted boolean NOT NULL DEFAULT false,
    depends uuid[] NOT NULL DEFAULT '{}',
    cause text COLLATE "C" CHECK (cause IN ('leaver', 'out_of_scope', 'missing')),
    cause_since timestamptz,
    steps_done smallint NOT NULL DEFAULT 0,
    grouped boolean NOT NULL DEFAULT true,
    doubtful boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, app_id, resource_id),
    FOREIGN KEY (tenant_id, app_id) REFERENCES app (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE account IS 'One user or group as one app is known to hold it. resource_id is our user or group, or a made-up id for an account that nobody of ours has (unmatched).';
COMMENT ON COLUMN account.known IS 'What the app last acknowledged, as it would be sent, with the app''s own ids.';
COMMENT ON COLUMN account.look IS 'Somebody said: look at this account. The work is always desired minus known.';
COMMENT ON COLUMN account.priority IS 'Lower goes first: 1 leavers, 5 users, 6 users that waited for their manager''s account once, 7 groups.';
COMMENT ON COLUMN account.adopted IS 'Found in the app and matched, not created by us.';
COMMENT ON COLUMN account.depends IS 'Other resources that the last desired state read (the manager): a change of theirs is a look at this account.';
COMMENT ON COLUMN account.cause IS 'Why the account is being deprovisioned; null while it is wanted.';
COMMENT ON COLUMN account.cause_since IS 'When the cause arose: the steps'' waiting times count from here.';
COMMENT ON COLUMN account.steps_done IS 'Deprovisioning steps done for this cause.';
COMMENT ON COLUMN account.grouped IS 'False: the account is to be in no group of the app (out of scope, or the step remove_groups).';
COMMENT ON COLUMN account.doubtful IS 'More than one existing account of the app fits: nothing is created before a human decided.';
CREATE INDEX account_by_depends ON account USING gin (depends) WHERE depends <> '{}';
CREATE INDEX account_to_look_at ON account (tenant_id, app_id, priority, due_at) WHERE look;
CREATE INDEX account_by_resource ON account (tenant_id, resource_id);
CREATE UNIQUE INDEX account_by_remote ON account (tenant_id, app_id, kind, remote_id) WHERE remote_id IS NOT NULL;
CREATE INDEX account_by_state ON account (tenant_id, app_id, state);

CREATE TABLE account_member (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_id uuid NOT NULL,
    remote_id text COLLATE "C" NOT NULL,
    sure boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, app_id, group_id, member_id),
    FOREIGN KEY (tenant_id, app_id, group_id) REFERENCES account (tenant_id, app_id, resource_id) ON DELETE CASCADE
);
COMMENT ON TABLE account_member IS 'Members that an app is known to hold in a group; we take away only what we put there.';
COMMENT ON COLUMN account_member.sure IS 'False: the call that put it there has an unknown outcome; it is put again, or taken away.';

CREATE TABLE operation (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    id uuid NOT NULL,
    resource_id uuid NOT NULL,
    epoch bigint NOT NULL,
    action text NOT NULL CHECK (action IN ('create', 'update', 'disable', 'delete', 'members')),
    method text NOT NULL,
    path text NOT NULL,
    body jsonb,
    after jsonb,
    state text NOT NULL CHECK (state IN ('pending', 'unknown', 'done', 'refused')),
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, app_id, id),
    FOREIGN KEY (tenant_id, app_id, resource_id) REFERENCES account (tenant_id, app_id, resource_id) ON DELETE CASCADE
);
COMMENT ON TABLE operation IS 'One HTTP change to one account: the intent is written before the call, the result after it.';
COMMENT ON COLUMN operation.after IS 'What the app holds once the call is acknowledged.';
CREATE UNIQUE INDEX operation_one_pending ON operation (tenant_id, app_id, resource_id) WHERE state IN ('pending', 'unknown');
CREATE INDEX operation_by_account ON operation (tenant_id, app_id, resource_id, id DESC);

CREATE TABLE attempt (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    operation_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status integer,
    detail text NOT NULL,
    PRIMARY KEY (tenant_id, app_id, operation_id, number),
    FOREIGN KEY (tenant_id, app_id, operation_id) REFERENCES operation (tenant_id, app_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE attempt IS 'One try of an operation: the status and the app''s own words, shortened.';

-- ---------------------------------------------------------------- background tasks
CREATE TABLE lease (
    name text COLLATE "C" PRIMARY KEY,
    owner uuid NOT NULL,
    epoch bigint NOT NULL,
    until timestamptz NOT NULL
);
COMMENT ON TABLE lease IS 'Which process runs a task of which there must be one (the sequencer). until is the database''s clock.';
