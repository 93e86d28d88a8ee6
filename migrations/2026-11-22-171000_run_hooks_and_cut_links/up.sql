-- Hooks of deprovisioning, candidates of doubtful accounts, and links that were cut by hand.

ALTER TABLE operation DROP CONSTRAINT operation_action_check;
ALTER TABLE operation ADD CONSTRAINT operation_action_check
    CHECK (action IN ('create', 'update', 'disable', 'delete', 'members', 'hook'));
ALTER TABLE account
    ADD COLUMN answers jsonb,
    ADD COLUMN candidates jsonb,
    ADD COLUMN severed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN account.answers IS 'What hooks of deprovisioning answered, by cause and place of the step; the fields that their JSON has.';
COMMENT ON COLUMN account.candidates IS 'Of a doubtful account: what it may be or collides with, each with the key, and the app''s id or another user of ours.';
COMMENT ON COLUMN account.severed IS 'A human cut the link: matching does not tie it again.';
