DROP TABLE planned_removal;
