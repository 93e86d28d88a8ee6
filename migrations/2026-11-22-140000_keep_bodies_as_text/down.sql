ALTER TABLE walk RESET (fillfactor);
DROP FUNCTION called_by(text[], uuid, boolean, text);
ALTER TABLE resource DROP COLUMN called;
ALTER TABLE resource ALTER COLUMN body TYPE jsonb USING body::text::jsonb;
