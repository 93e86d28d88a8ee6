CREATE OR REPLACE FUNCTION scim_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C")
        ELSE translate(lower(upper(translate(value, 'ı', U&'\FDD0') COLLATE "und-x-icu")), 'ς' || U&'\FDD0', 'σı') COLLATE "C"
    END
$$;
