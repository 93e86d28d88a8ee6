-- Whoever has a day ahead on which the answer may change waits in the queue until then: with 1,000,000 of them the search
-- for the few that are due read 16,500 blocks of account_to_look_at each time (100 ms); by this index it reads 23 (0.1 ms).
CREATE INDEX account_due ON account (tenant_id, app_id, due_at) WHERE look;
COMMENT ON INDEX account_due IS 'Finds what is due among very many that are due later; account_to_look_at orders what is due by urgency.';
