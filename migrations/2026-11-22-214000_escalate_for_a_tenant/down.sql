ALTER TABLE notice_setting DROP COLUMN escalate_to, DROP COLUMN escalate_after;
