DROP TABLE kept_back;
ALTER TABLE plan DROP COLUMN effects;
