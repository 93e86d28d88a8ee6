-- The first 3 and the first 8 letters of each e-mail address get keys too, so that "starts with" is a look-up. This
-- adds them for what is stored already; the program writes them from now on (directory/key.rs has the same formula).
UPDATE resource_key k SET keys = n.keys
  FROM (SELECT r.tenant_id, r.id, array_agg(DISTINCT a.key ORDER BY a.key) AS keys
          FROM resource r
          JOIN resource_key o ON o.tenant_id = r.tenant_id AND o.id = r.id
         CROSS JOIN LATERAL (
            SELECT unnest(o.keys)
            UNION ALL
            SELECT ('x' || encode(substring(sha256(
                       uuid_send(r.tenant_id) || convert_to(r.kind, 'UTF8') || '\x00'::bytea
                       || convert_to('emails.value^', 'UTF8') || '\x00'::bytea
                       || convert_to(left(scim_fold(e.v ->> 'value'), l.letters), 'UTF8')) FROM 1 FOR 8), 'hex')
                   )::bit(64)::bigint
              FROM jsonb_array_elements(r.body -> 'emails') AS e(v), unnest(ARRAY[3, 8]) AS l(letters)
             WHERE char_length(scim_fold(e.v ->> 'value')) >= l.letters) AS a(key)
         WHERE jsonb_typeof(r.body -> 'emails') = 'array'
         GROUP BY r.tenant_id, r.id) n
 WHERE k.tenant_id = n.tenant_id AND k.id = n.id AND k.keys <> n.keys;
