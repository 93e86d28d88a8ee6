ALTER TABLE account DROP COLUMN told_removal;
