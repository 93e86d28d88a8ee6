DROP TABLE definition;
