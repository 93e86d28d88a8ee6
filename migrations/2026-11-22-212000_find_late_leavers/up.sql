-- Leavers whose accounts are open: looked for every minute, over all tenants.
CREATE INDEX account_leaver_open ON account (cause_since)
    WHERE cause = 'leaver' AND state IN ('pending', 'parked', 'quarantined', 'held');
