-- A change was written a second time to get its number. Now it is written once: numbers stand in rows of their own, one for
-- each batch of the sequencer. Programs of the version before cannot read numbers any more and must be stopped first;
-- what they write meanwhile is kept and numbered.
LOCK TABLE change IN ACCESS EXCLUSIVE MODE;

CREATE TABLE change_number (
    tenant_id uuid NOT NULL,
    last_seq bigint NOT NULL,
    ids bigint[] NOT NULL,
    PRIMARY KEY (tenant_id, last_seq)
);
COMMENT ON TABLE change_number IS 'The numbers of a tenant''s changes, given after commit by the sequencer: readers of the log follow the numbers, so none is skipped.';
COMMENT ON COLUMN change_number.ids IS 'change.id in the order of the numbers, which end with last_seq and have no gap.';
INSERT INTO change_number (tenant_id, last_seq, ids)
SELECT tenant_id, max(seq), array_agg(id ORDER BY seq) FROM change WHERE seq IS NOT NULL GROUP BY tenant_id, (seq - 1) / 2000;

CREATE TABLE change_seen (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id bigint NOT NULL
);
COMMENT ON TABLE change_seen IS 'One row: up to which change.id every change has a number, but those in change_gap. Only the sequencer writes it.';
INSERT INTO change_seen (id) SELECT coalesce(max(id) FILTER (WHERE seq IS NOT NULL), 0) FROM change;

CREATE TABLE change_gap (
    first bigint PRIMARY KEY,
    last bigint NOT NULL,
    waits_for text[] NOT NULL
);
COMMENT ON TABLE change_gap IS 'Ids up to change_seen.id without a number: of transactions that were under way, or that rolled back.';
COMMENT ON COLUMN change_gap.waits_for IS 'Every virtual transaction that was open then; when all have ended, what is not there will never come.';
INSERT INTO change_gap (first, last, waits_for)
SELECT id, id, '{}' FROM change WHERE seq IS NULL AND id < (SELECT id FROM change_seen);

ALTER TABLE change DROP COLUMN seq;
CREATE INDEX change_by_resource ON change (tenant_id, resource_id, id);

CREATE VIEW numbered_change AS
SELECT n.tenant_id, n.last_seq, n.last_seq - cardinality(n.ids) + i.place AS seq, i.id
FROM change_number n CROSS JOIN LATERAL unnest(n.ids) WITH ORDINALITY AS i (id, place);
COMMENT ON VIEW numbered_change IS 'Each number with the change that has it. Who reads on from a number asks for last_seq above it too, which has an index.';

-- OFFSET 0 keeps conditions outside, so that the rows are found by their ids whatever else is asked of them.
CREATE VIEW unnumbered_change AS
SELECT * FROM (SELECT * FROM change WHERE id > (SELECT id FROM change_seen) ORDER BY id OFFSET 0) later
UNION ALL
SELECT * FROM (SELECT c.* FROM change_gap g JOIN change c ON c.id BETWEEN g.first AND g.last OFFSET 0) late;
COMMENT ON VIEW unnumbered_change IS 'Committed changes that the sequencer has not come to yet.';
