DELETE FROM change_chain WHERE tenant_id NOT IN (SELECT id FROM tenant);
ALTER TABLE change_chain ADD CONSTRAINT change_chain_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant;
COMMENT ON COLUMN change_chain.tenant_id IS NULL;
DROP TABLE tombstone;
ALTER TABLE connection DROP COLUMN realm_seq;
ALTER TABLE connection DROP COLUMN authority;
ALTER TABLE resource DROP COLUMN writers;
