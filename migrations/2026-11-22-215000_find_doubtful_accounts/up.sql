-- Accounts that cannot be made since others are in the way: looked for every minute, over all tenants.
CREATE INDEX account_doubtful ON account (since) WHERE doubtful AND state = 'held';
