DROP TABLE read_mark;
