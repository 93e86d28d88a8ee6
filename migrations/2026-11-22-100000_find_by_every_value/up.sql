-- What had no index: groups in groups, the names that clients gave members, what a change made of meta, schemas, and
-- the beginnings of e-mail addresses with fewer than three letters.
CREATE INDEX membership_of_groups ON membership (tenant_id, group_id, member_id) WHERE member_kind = 'Group';
COMMENT ON INDEX membership_of_groups IS 'The few rows that put a group into a group, without those of its users.';
CREATE INDEX membership_display ON membership (tenant_id, scim_fold(display)) WHERE display IS NOT NULL;
COMMENT ON INDEX membership_display IS 'Names that clients gave members; to be built anew whenever scim_fold changes.';
CREATE INDEX change_at ON change (tenant_id, at);
COMMENT ON INDEX change_at IS 'For meta.created and meta.lastModified: each is the time of a change, and an index on the resource would make every write of it write all its index entries anew.';
CREATE INDEX change_version ON change (tenant_id, version);
COMMENT ON INDEX change_version IS 'For meta.version: every version has its change.';

CREATE FUNCTION scim_key(tenant uuid, kind text, path text, folded text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ('x' || encode(substring(sha256(
               uuid_send(tenant) || convert_to(kind, 'UTF8') || '\x00'::bytea || convert_to(path, 'UTF8') || '\x00'::bytea
               || convert_to(folded, 'UTF8')) FROM 1 FOR 8), 'hex'))::bit(64)::bigint
$$;
COMMENT ON FUNCTION scim_key IS 'The key of a value in resource_key.keys, by the formula of the program (directory/key.rs).';

-- The keys of what is stored already; the program writes them from now on.
UPDATE resource_key k SET keys = n.keys
  FROM (SELECT r.tenant_id, r.id, array_agg(DISTINCT a.key ORDER BY a.key) AS keys
          FROM resource r
          JOIN resource_key o ON o.tenant_id = r.tenant_id AND o.id = r.id
         CROSS JOIN LATERAL (
            SELECT unnest(o.keys)
            UNION ALL
            SELECT scim_key(r.tenant_id, r.kind, 'emails.value^', left(scim_fold(e.v ->> 'value'), l.letters))
              FROM jsonb_array_elements(CASE jsonb_typeof(r.body -> 'emails') WHEN 'array' THEN r.body -> 'emails' END) AS e(v),
                   unnest(ARRAY[1, 2]) AS l(letters)
             WHERE char_length(scim_fold(e.v ->> 'value')) >= l.letters
            UNION ALL
            SELECT scim_key(r.tenant_id, r.kind, 'schemas', scim_fold(s.urn))
              FROM jsonb_array_elements_text(CASE jsonb_typeof(r.body -> 'schemas') WHEN 'array' THEN r.body -> 'schemas' END)
                   WITH ORDINALITY AS s(urn, place)
             WHERE s.place > 1) AS a(key)
         GROUP BY r.tenant_id, r.id) n
 WHERE k.tenant_id = n.tenant_id AND k.id = n.id AND k.keys <> n.keys;
