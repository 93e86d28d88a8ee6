-- Names that clients give to members.

ALTER TABLE membership ADD COLUMN display text;
COMMENT ON COLUMN membership.display IS 'The name that a client of the dialect entra gave the member when it was added; null: the member''s own name is shown.';
