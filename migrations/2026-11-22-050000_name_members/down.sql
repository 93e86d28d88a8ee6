ALTER TABLE external_id DROP CONSTRAINT external_id_pkey,
    ADD PRIMARY KEY (tenant_id, client_id, kind, value);
ALTER TABLE membership DROP COLUMN display;
