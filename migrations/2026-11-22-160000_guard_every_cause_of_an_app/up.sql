-- Publications, bulk actions and full compares make plans; what is left out of them waits, what was looked at by a human
-- is not counted in the caps, and what a compare found is kept.
ALTER TABLE account ADD COLUMN waits jsonb;
COMMENT ON COLUMN account.waits IS 'Nothing is done about the account before somebody says so: {"why": declined, moved, unjudged or removed, "plan", "by", "cause"}. A leaver passes, unless leaving is what was left out. Null: nothing stops it.';
ALTER TABLE account ADD COLUMN allowed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN account.allowed IS 'The next effect is counted in the caps already, or a human looked at it: it is not counted. Ends when the app acknowledges.';
ALTER TABLE account ADD COLUMN removing text;
COMMENT ON COLUMN account.removing IS 'Who asked that the account be deleted in the app by hand; null: nobody. Ends when the app acknowledges.';
CREATE INDEX account_waiting ON account (tenant_id, app_id) WHERE waits IS NOT NULL;
CREATE INDEX plan_approved ON plan (cause, created_at) WHERE state = 'approved';

ALTER TABLE app ADD COLUMN compare_at timestamptz;
COMMENT ON COLUMN app.compare_at IS 'When the next full compare is due; null: none is asked for.';
CREATE TABLE compare (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('reading', 'done', 'failed')),
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    asked_by text NOT NULL,
    progress jsonb NOT NULL DEFAULT '{}',
    counts jsonb NOT NULL DEFAULT '{}',
    plan_id uuid,
    words text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, app_id, id),
    FOREIGN KEY (tenant_id, app_id) REFERENCES app (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE compare IS 'One full compare of an app with what it is known to hold.';
COMMENT ON COLUMN compare.progress IS 'Where a killed compare goes on: type, index or cursor of the next page.';
COMMENT ON COLUMN compare.plan_id IS 'The plan that repairs what was found; null: nothing to repair, or the settings say not to.';
CREATE UNIQUE INDEX compare_under_way ON compare (tenant_id, app_id) WHERE state = 'reading';

CREATE TABLE drift (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    compare_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('changed', 'vanished', 'unknown')),
    remote_id text NOT NULL,
    differences jsonb NOT NULL,
    read jsonb,
    repair text NOT NULL CHECK (repair IN ('no', 'never', 'planned', 'released', 'declined')),
    found_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, app_id, compare_id, resource_id),
    FOREIGN KEY (tenant_id, app_id, compare_id) REFERENCES compare (tenant_id, app_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE drift IS 'An account that a full compare found otherwise than it is known: changed by somebody else, vanished, or unknown to us.';
COMMENT ON COLUMN drift.differences IS '[{path, expected, found}]: what the app last acknowledged, and what it was read to hold.';
COMMENT ON COLUMN drift.read IS 'What of the account is ours to judge, as read; null when it has vanished.';
COMMENT ON COLUMN drift.repair IS 'no: only reported; never: a compare does not do this (activating); planned: in the plan; released: handed to delivery; declined: left out by a human.';
