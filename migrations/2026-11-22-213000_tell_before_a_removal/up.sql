-- People are told before their account in an app is removed.
ALTER TABLE account ADD COLUMN told_removal timestamptz;
COMMENT ON COLUMN account.told_removal IS 'The person was told that the account is removed then: it is not removed before. Null again when what led to the removal is over.';
