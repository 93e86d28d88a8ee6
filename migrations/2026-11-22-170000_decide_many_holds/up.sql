-- What a connection holds back may go to an app that says `overwrite`: such an app is told when a hold of a connection
-- comes, changes or goes.

COMMENT ON COLUMN hold.heeded IS 'Of an app''s hold: the account was told to be looked at again since the decision. Of a connection''s: the accounts of its user were, since it last changed.';
CREATE INDEX hold_untold ON hold (tenant_id, id) WHERE app_id IS NULL AND NOT heeded;
CREATE INDEX hold_waiting_for_user ON hold (tenant_id, resource_id) WHERE app_id IS NULL AND state = 'open';
