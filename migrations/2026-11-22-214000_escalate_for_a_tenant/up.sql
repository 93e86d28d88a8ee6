-- Plans that wait are told again, also those of apps and of bulk actions, which no connection speaks for.
ALTER TABLE notice_setting
    ADD COLUMN escalate_after text COLLATE "C",
    ADD COLUMN escalate_to text[] COLLATE "C" NOT NULL DEFAULT '{}';
COMMENT ON COLUMN notice_setting.escalate_after IS 'After so long (4h, 2d) a plan that still waits is told again, where the connection or the app says nothing else. Null: never.';
COMMENT ON COLUMN notice_setting.escalate_to IS 'To these addresses; empty: to the same people.';
