-- What an account was in at any past instant. The database writes it, so that no statement that sets a state can forget
-- to, and only when the state is another one: a push writes two rows here (pending, in_sync), a quiet day none.
CREATE TABLE account_state (
    tenant_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    app_id uuid NOT NULL,
    at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    state text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    remote_id text COLLATE "C",
    PRIMARY KEY (tenant_id, resource_id, app_id, at, id)
);
COMMENT ON TABLE account_state IS 'Each state that an account came into, with the reason and the app''s id as they were. Kept as long as the tenant''s retention says.';
COMMENT ON COLUMN account_state.at IS 'From when on it was in that state, by account.since; of several at one instant the one with the highest id counts.';
COMMENT ON COLUMN account_state.tenant_id IS 'Without a foreign key, nor one to app: their checks would cost more than the row.';

CREATE FUNCTION note_account_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_state (tenant_id, resource_id, app_id, at, state, reason, remote_id)
    VALUES (NEW.tenant_id, NEW.resource_id, NEW.app_id,
            CASE WHEN TG_OP = 'UPDATE' AND NEW.since = OLD.since THEN greatest(NEW.since, now()) ELSE NEW.since END,
            NEW.state, NEW.reason, NEW.remote_id);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION note_account_state IS 'Notes a state. Where a statement sets one without saying since when, it is now.';
CREATE TRIGGER account_state_first AFTER INSERT ON account
    FOR EACH ROW WHEN (NEW.state <> 'unmatched') EXECUTE FUNCTION note_account_state();
CREATE TRIGGER account_state_next AFTER UPDATE OF state ON account
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION note_account_state();

INSERT INTO account_state (tenant_id, resource_id, app_id, at, state, reason, remote_id)
SELECT tenant_id, resource_id, app_id, since, state, reason, remote_id FROM account WHERE state <> 'unmatched';

CREATE TABLE change_checkpoint (
    tenant_id uuid PRIMARY KEY,
    last_seq bigint NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE change_checkpoint IS 'Up to which number a tenant''s changes were let go of, and the chain''s digest there: from it the rest is checked.';
COMMENT ON COLUMN change_checkpoint.at IS 'What stood before this instant can no longer be told.';
