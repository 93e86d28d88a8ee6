-- The capital ẞ folded to ß, and ß folds to ss: now both fold to ss, as scim::fold does. Values stored before with a
-- capital ẞ are found by it again after their next write.
CREATE OR REPLACE FUNCTION scim_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C")
        ELSE translate(lower(upper(translate(value, 'ıẞ', U&'\FDD0' || 'ß') COLLATE "und-x-icu")), 'ς' || U&'\FDD0', 'σı') COLLATE "C"
    END
$$;
