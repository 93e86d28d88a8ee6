DROP TABLE consent, sign_in_turn;
ALTER TABLE vendor_token DROP COLUMN made_at, DROP COLUMN refresh_sealed, DROP COLUMN scope;
