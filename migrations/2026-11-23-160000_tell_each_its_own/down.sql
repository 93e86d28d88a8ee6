DROP INDEX message_open_mail;
DROP INDEX message_open_by_subscription;
ALTER TABLE event DROP COLUMN digest, DROP COLUMN entity_words;
