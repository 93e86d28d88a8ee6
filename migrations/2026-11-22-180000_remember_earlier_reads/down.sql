ALTER TABLE connection DROP COLUMN stale_at;
ALTER TABLE connection DROP COLUMN stale_after;
ALTER TABLE connection DROP COLUMN connected_at;
ALTER TABLE connection DROP COLUMN fresh_at;
DROP TABLE read_base;
