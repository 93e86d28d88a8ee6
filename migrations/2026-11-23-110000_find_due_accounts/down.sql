DROP INDEX account_due;
