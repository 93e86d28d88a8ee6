ALTER TABLE membership DROP COLUMN display;
