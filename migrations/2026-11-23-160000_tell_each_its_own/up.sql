-- Whoever is bound to legal entities is told of theirs, however an entity is named and however many are told together.
ALTER TABLE event
    ADD COLUMN entity_words jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN digest uuid;
UPDATE event SET entity_words = jsonb_build_array(entity) WHERE entity IS NOT NULL;
COMMENT ON COLUMN event.entity IS 'The legal entity it belongs to, as it is shown: the first of entity_words.';
COMMENT ON COLUMN event.entity_words IS 'All words for the legal entity (id, code, name): recipients of other entities are not told. Of a digest: the entities of those whose digest it is.';
COMMENT ON COLUMN event.digest IS 'It is told together with others that have the same value, and by no mail of its own.';

-- What is to be sent next, of each tenant and each subscription, however much of it waits.
CREATE INDEX message_open_by_subscription ON message (tenant_id, subscription_id, created_at, id)
    WHERE state IN ('waiting', 'leased') AND subscription_id IS NOT NULL;
CREATE INDEX message_open_mail ON message (tenant_id, at_most_once, due_at)
    WHERE state IN ('waiting', 'leased') AND channel = 'mail';
COMMENT ON COLUMN message.created_at IS 'From when on it is sent: since then it is tried.';
