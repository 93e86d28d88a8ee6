DROP INDEX account_leaver_open;
