CREATE TABLE drift_member (
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    compare_id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_id uuid NOT NULL,
    remote_id text COLLATE "C" NOT NULL,
    missing boolean NOT NULL,
    left_alone boolean NOT NULL,
    PRIMARY KEY (tenant_id, app_id, compare_id, group_id, member_id),
    FOREIGN KEY (tenant_id, app_id, compare_id) REFERENCES compare (tenant_id, app_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE drift_member IS 'A user of ours whom a full compare missed in a group of ours in the app, or found there though nobody of ours put it there.';
COMMENT ON COLUMN drift_member.member_id IS 'Our user.';
COMMENT ON COLUMN drift_member.remote_id IS 'The id of the member in the app.';
COMMENT ON COLUMN drift_member.missing IS 'True: the app was known to hold it and does not. False: the app holds it, and it is in no such group of ours.';
COMMENT ON COLUMN drift_member.left_alone IS 'It is only reported: the group was in the app before us, and so may have been its members.';
CREATE INDEX drift_member_by_member ON drift_member (tenant_id, member_id);

ALTER TABLE app ADD COLUMN shows_members boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN app.shows_members IS 'It was seen to answer with members of a group: then a group without any has none. Else nothing follows from it.';
