ALTER TABLE setup_link DROP COLUMN publishes;
ALTER TABLE consent_request DROP COLUMN publishes;
DROP TABLE connection_check;
