CREATE TABLE employment (
    tenant_id uuid NOT NULL REFERENCES tenant,
    person_id uuid NOT NULL,
    facts jsonb NOT NULL,
    fresh boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, person_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES person (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE employment IS 'What of a person''s records decides when access begins and ends, so that an app can be judged by its own policy or entity. Written by runs, in the commit of the user.';
COMMENT ON COLUMN employment.facts IS 'Records (source id, entity, zone, status, employments with their days), the connection''s policy, and what was ended by hand. No name, no address.';
COMMENT ON COLUMN employment.fresh IS 'Changed since apps with a timing of their own were told to look.';
CREATE INDEX employment_fresh ON employment (tenant_id, person_id) WHERE fresh;

ALTER TABLE account ADD COLUMN no_grants boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN account.no_grants IS 'The leave is planned, and by the policy nothing new is granted: the account enters no further group of the app.';

COMMENT ON COLUMN person.suspended IS 'Ended by hand: last_day (with access), at (the instant), reason, by, since; null unless so.';
