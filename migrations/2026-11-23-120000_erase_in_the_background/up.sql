-- An erase is asked for in one short transaction and carried out in the background, takes whole values only, forgets no
-- account that is open, and its notes are found by an index.

ALTER TABLE erasure
    ADD COLUMN users uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN leased_until timestamptz,
    ADD COLUMN told_late_at timestamptz,
    ADD COLUMN left_in jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN erasure.users IS 'The users the person has and had: by them their accounts are found while it waits.';
COMMENT ON COLUMN erasure.leased_until IS 'A process carries it out until then, by the database''s clock; it is tried again after that.';
COMMENT ON COLUMN erasure.told_late_at IS 'When somebody was told that it has waited for too long.';
COMMENT ON COLUMN erasure.left_in IS 'The apps in which accounts still stood when everything went, each with the state of the account.';
UPDATE erasure e SET users = ARRAY(
    SELECT e.subject_id UNION SELECT t.resource_id FROM tombstone t
    WHERE t.tenant_id = e.tenant_id AND (t.person_id = e.subject_id OR t.resource_id = e.subject_id))
WHERE e.state = 'waiting';

ALTER TABLE account_wipe ADD COLUMN deed text COLLATE "C" NOT NULL DEFAULT 'delete' CHECK (deed IN ('delete', 'leave'));
COMMENT ON TABLE account_wipe IS 'Users of whom an erase said what becomes of their accounts once they are gone, whatever the app''s own steps say.';
COMMENT ON COLUMN account_wipe.deed IS 'delete: in every live app. leave: they stay as they are, and nobody is told.';

ALTER TABLE erased_record ADD COLUMN mark bytea;
COMMENT ON COLUMN erased_record.mark IS 'The record''s id in the HR system, digested under the master key, so that a read finds it by an index. Null: not made yet for this key; whoever looks makes it.';
CREATE INDEX erased_record_by_mark ON erased_record (tenant_id, connection_id, mark) WHERE mark IS NOT NULL;
CREATE INDEX erased_record_unmarked ON erased_record (tenant_id, connection_id) WHERE mark IS NULL;

-- By what a person's own rows are found.
CREATE INDEX change_of_deleted_person ON change (tenant_id, person_id) WHERE action = 'delete' AND person_id IS NOT NULL;
CREATE INDEX account_member_by_member ON account_member (tenant_id, app_id, member_id);
CREATE INDEX run_outcome_by_person ON run_outcome (tenant_id, person_id) WHERE person_id IS NOT NULL;
CREATE INDEX hold_by_resource ON hold (tenant_id, resource_id);
CREATE INDEX hold_by_person ON hold (tenant_id, person_id) WHERE person_id IS NOT NULL;
CREATE INDEX person_left ON person (tenant_id, coalesce(lifecycle ->> 'leaves_on', lifecycle ->> 'last_day'))
    WHERE lifecycle ->> 'state' IN ('left', 'rescinded');
COMMENT ON INDEX person_left IS 'Who left, by the day: for retention.';

CREATE VIEW erasure_account AS
SELECT e.tenant_id, e.id, x.app_id, a.name AS app, a.mode, x.resource_id, x.state, x.reason, x.due_at,
       EXISTS (SELECT FROM frozen f WHERE f.tenant_id = a.tenant_id AND f.owner_id IN (a.id, a.tenant_id)) AS frozen,
       x.remote_id IS NOT NULL AND x.state <> 'removed' AS stands,
       EXISTS (SELECT FROM operation o WHERE o.tenant_id = x.tenant_id AND o.app_id = x.app_id AND o.resource_id = x.resource_id
               AND o.state = 'pending' AND o.epoch = a.lease_epoch AND a.lease_until > now()) AS busy,
       e.accounts <> 'leave'
       AND NOT (a.mode <> 'live' AND x.acknowledged_at IS NULL AND NOT c.open)
       AND (c.open OR m.member
            OR x.remote_id IS NOT NULL AND NOT (
                x.state = 'removed' OR (x.state = 'skipped' AND NOT x.look)
                OR e.accounts = 'disable' AND x.cause IS NOT DISTINCT FROM 'missing'
                   AND (x.state = 'disabled' OR (NOT x.look AND x.state IN ('in_sync', 'out_of_scope'))))) AS untold
FROM erasure e
JOIN account x ON x.tenant_id = e.tenant_id AND x.resource_id = ANY (e.users)
JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM operation o WHERE o.tenant_id = x.tenant_id AND o.app_id = x.app_id
    AND o.resource_id = x.resource_id AND o.state IN ('pending', 'unknown')) AS open) c
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM account_member k WHERE k.tenant_id = x.tenant_id AND k.app_id = x.app_id
    AND k.member_id = x.resource_id) AS member) m;
COMMENT ON VIEW erasure_account IS 'The accounts of those who are being erased: whether each still stands in its app, whether a call about it is under way, and whether the app is still to be told.';

-- Taking texts out of what is kept of others.
CREATE FUNCTION erase_words(value text, texts text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    folded text := scim_fold(value);
    one text;
BEGIN
    FOREACH one IN ARRAY texts LOOP
        CONTINUE WHEN value IS NULL OR strpos(folded, scim_fold(one)) = 0;
        value := regexp_replace(value COLLATE "und-x-icu",
            '(?<![[:alnum:]._%+@-])' || regexp_replace(one, '([^[:alnum:][:space:]])', '\\\1', 'g')
            || '(?![[:alnum:]@-]|[.][[:alnum:]])', '(erased)', 'gi');
    END LOOP;
    RETURN value;
END $$;
COMMENT ON FUNCTION erase_words IS 'The text without these others, as they are written or folded, where they stand by themselves: not within a longer word, number or address.';

CREATE FUNCTION erase_values(value jsonb, texts text[], within boolean) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    folded text := scim_fold(value::text);
BEGIN
    IF value IS NULL OR NOT EXISTS (
        SELECT FROM unnest(texts) t
        WHERE strpos(folded, CASE WHEN within THEN btrim(to_jsonb(t)::text, '"') ELSE to_jsonb(t)::text END) > 0) THEN
        RETURN value;
    END IF;
    RETURN CASE jsonb_typeof(value)
        WHEN 'string' THEN CASE
            WHEN scim_fold(btrim(value #>> '{}')) = ANY (texts) THEN '"(erased)"'
            WHEN within THEN to_jsonb(erase_words(value #>> '{}', texts))
            ELSE value END
        WHEN 'array' THEN (SELECT jsonb_agg(erase_values(v, texts, within) ORDER BY n)
                           FROM jsonb_array_elements(value) WITH ORDINALITY AS a (v, n))
        WHEN 'object' THEN (SELECT jsonb_object_agg(k, erase_values(v, texts, within)) FROM jsonb_each(value) AS o (k, v))
        ELSE value END;
END $$;
COMMENT ON FUNCTION erase_values IS 'The JSON without these texts, each of which is there folded: strings that are one of them as a whole, and with `within` also where one stands by itself in a string.';
