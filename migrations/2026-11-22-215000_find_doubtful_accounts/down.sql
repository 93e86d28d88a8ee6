DROP INDEX account_doubtful;
