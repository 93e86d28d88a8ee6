-- Who is told of events, in which words, and what was sent.

CREATE TABLE notice_setting (
    tenant_id uuid PRIMARY KEY REFERENCES tenant,
    language text COLLATE "C" NOT NULL,
    digest_above integer NOT NULL
);
COMMENT ON TABLE notice_setting IS 'How a tenant wants to be told. Without a row: English, a digest above 20.';
COMMENT ON COLUMN notice_setting.language IS 'For whoever has no language of their own: de, en, fr, nl.';
COMMENT ON COLUMN notice_setting.digest_above IS 'So many people deactivated by one run are told one by one; of more, one mail tells.';

CREATE TABLE recipient (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    address text COLLATE "C" NOT NULL,
    language text COLLATE "C",
    events text[] COLLATE "C" NOT NULL,
    entities text[] COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, address)
);
COMMENT ON TABLE recipient IS 'Admins of a tenant who are told by mail. Those of single connections stand in the connection''s settings.';
COMMENT ON COLUMN recipient.events IS 'Kinds of events; empty: all.';
COMMENT ON COLUMN recipient.entities IS 'Only events of these legal entities; empty: of all, and those of none.';

CREATE TABLE template (
    tenant_id uuid NOT NULL REFERENCES tenant,
    kind text COLLATE "C" NOT NULL,
    language text COLLATE "C" NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    html text,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (tenant_id, kind, language)
);
COMMENT ON TABLE template IS 'Texts that a tenant says in its own words; checked when they were saved.';
COMMENT ON COLUMN template.html IS 'Null: made from the plain text.';

CREATE TABLE subscription (
    tenant_id uuid NOT NULL REFERENCES tenant,
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    preset text COLLATE "C" NOT NULL CHECK (preset IN ('standard', 'slack', 'teams')),
    sealed bytea NOT NULL,
    events text[] COLLATE "C" NOT NULL,
    entities text[] COLLATE "C" NOT NULL,
    names boolean NOT NULL,
    language text COLLATE "C",
    state text COLLATE "C" NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    last_failure text,
    resume_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON TABLE subscription IS 'An address that is told of events by HTTP.';
COMMENT ON COLUMN subscription.sealed IS 'The address and the secret that signs, sealed, as JSON: the addresses of Slack and Teams are secrets themselves.';
COMMENT ON COLUMN subscription.names IS 'Whether bodies may hold names and addresses of people; else they hold ids.';
COMMENT ON COLUMN subscription.failures IS 'Deliveries that failed one after the other.';
COMMENT ON COLUMN subscription.resume_at IS 'Nothing is sent before: it failed, or asked to be left alone.';

CREATE TABLE message (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    channel text COLLATE "C" NOT NULL CHECK (channel IN ('mail', 'webhook')),
    address text COLLATE "C",
    subscription_id uuid,
    language text COLLATE "C" NOT NULL,
    escalated boolean NOT NULL DEFAULT false,
    state text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'leased', 'handing', 'sent', 'failed', 'unknown', 'withdrawn', 'unsent')),
    at_most_once boolean NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    lease_owner uuid,
    lease_until timestamptz,
    detail text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES event (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE message IS 'One mail or one webhook call: what is to be said is made anew from the event at each try.';
COMMENT ON COLUMN message.state IS 'handing: the mail server was given the text and has not answered; whoever finds that with a lapsed lease does not know whether it was sent. unsent: there is no mail server.';
COMMENT ON COLUMN message.at_most_once IS 'Better never than twice: with an unknown outcome it is not sent again by itself.';
COMMENT ON COLUMN message.escalated IS 'Goes to further people since nobody acted; withdrawn when somebody does.';
COMMENT ON COLUMN message.detail IS 'The other side''s answer in short, without addresses.';
CREATE INDEX message_due ON message (channel, due_at) WHERE state IN ('waiting', 'leased', 'handing');
CREATE INDEX message_by_event ON message (tenant_id, event_id);
CREATE INDEX message_by_subscription ON message (tenant_id, subscription_id, id) WHERE subscription_id IS NOT NULL;

CREATE TABLE invitation (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    person_id uuid,
    state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'invited', 'by_app')),
    reason text NOT NULL,
    invitee jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    invited_at timestamptz,
    invited_by text,
    times integer NOT NULL DEFAULT 0,
    event_id uuid,
    PRIMARY KEY (tenant_id, app_id, resource_id),
    FOREIGN KEY (tenant_id, app_id) REFERENCES app (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE invitation IS 'An account that we created, and whether its person was invited. Adopted accounts have none.';
COMMENT ON COLUMN invitation.state IS 'pending: created, not invited; a human may invite later.';
COMMENT ON COLUMN invitation.invitee IS 'What the mail needs: address, names, language, link.';
COMMENT ON COLUMN invitation.event_id IS 'The event of the last invitation: its message tells what became of the mail.';
CREATE INDEX invitation_pending ON invitation (tenant_id, app_id, resource_id) WHERE state = 'pending';
CREATE INDEX invitation_by_resource ON invitation (tenant_id, resource_id);
