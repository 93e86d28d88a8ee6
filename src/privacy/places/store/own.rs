//! The statements of what is a person's own, served by indexes. All take the same: $1 tenant, $2 people, $3 their users, $4 and $5 their records (connection and
//! id beside each other), $6 texts that name them and nobody else, as written and folded, $7 entity and number of each
//! record, with a slash between.

use diesel::sql_types::{Array, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::places;
use crate::db::{Conn, Statement as _};
use crate::privacy::Error;
use crate::privacy::store::Subject;
use crate::statement;

places! {
    "account_states" {
        ReadAccountStates: "SELECT to_jsonb(t) FROM account_state t WHERE tenant_id = $1 AND resource_id = ANY($3) ORDER BY at, id",
        EmptyAccountStates: "DELETE FROM account_state WHERE tenant_id = $1 AND resource_id = ANY($3)"
    }
    "memberships_in_apps" {
        ReadMembersInApps: "SELECT to_jsonb(t) FROM account_member t WHERE tenant_id = $1 AND member_id = ANY($3)",
        EmptyMembersInApps: "DELETE FROM account_member WHERE tenant_id = $1 AND member_id = ANY($3)"
    }
    "drift_in_groups" {
        ReadDriftInGroups: "SELECT to_jsonb(t) FROM drift_member t WHERE tenant_id = $1 AND member_id = ANY($3)",
        EmptyDriftInGroups: "DELETE FROM drift_member WHERE tenant_id = $1 AND member_id = ANY($3)"
    }
    "accounts" {
        ReadAccounts: "SELECT to_jsonb(t) FROM account t WHERE tenant_id = $1 AND resource_id = ANY($3) ORDER BY app_id",
        EmptyAccounts: "DELETE FROM account WHERE tenant_id = $1 AND resource_id = ANY($3)"
    }
    "holds" {
        ReadHolds: "SELECT to_jsonb(t) FROM hold t WHERE tenant_id = $1 AND (person_id = ANY($2) OR resource_id = ANY($3)) ORDER BY id",
        EmptyHolds: "DELETE FROM hold WHERE tenant_id = $1 AND (person_id = ANY($2) OR resource_id = ANY($3))"
    }
    "kept_back" {
        ReadKeptBack: "SELECT to_jsonb(t) - 'value' FROM kept_back t WHERE tenant_id = $1 AND (person_id = ANY($2)
              OR (owner_id = ANY($4) AND subject IN (SELECT 'record:' || s FROM unnest($5) s)))",
        EmptyKeptBack: "DELETE FROM kept_back WHERE tenant_id = $1 AND (person_id = ANY($2)
              OR (owner_id = ANY($4) AND subject IN (SELECT 'record:' || s FROM unnest($5) s)))"
    }
    "run_outcomes" {
        ReadRunOutcomes: "SELECT to_jsonb(t) FROM run_outcome t JOIN run ON run.tenant_id = t.tenant_id AND run.id = t.run_id
              WHERE t.tenant_id = $1 AND (t.person_id = ANY($2) OR t.source_id = ANY($5)) AND (t.person_id = ANY($2)
              OR (run.connection_id, t.source_id) IN (SELECT * FROM unnest($4, $5))) ORDER BY t.run_id, t.ordinal",
        EmptyRunOutcomes: "UPDATE run_outcome t SET source_id = NULL, employee_number = NULL, person_id = NULL, message = '(erased)'
              FROM run WHERE run.tenant_id = t.tenant_id AND run.id = t.run_id AND t.tenant_id = $1
              AND (t.person_id = ANY($2) OR t.source_id = ANY($5)) AND (t.person_id = ANY($2)
              OR (run.connection_id, t.source_id) IN (SELECT * FROM unnest($4, $5)))"
    }
    "invitations" {
        ReadInvitations: "SELECT to_jsonb(t) FROM invitation t WHERE tenant_id = $1 AND resource_id = ANY($3)
              ORDER BY app_id, resource_id",
        EmptyInvitations: "DELETE FROM invitation WHERE tenant_id = $1 AND resource_id = ANY($3)"
    }
    "events" {
        ReadEvents: "SELECT to_jsonb(t) FROM event t WHERE tenant_id = $1 AND person_id = ANY($2) ORDER BY id",
        EmptyEvents: "DELETE FROM event WHERE tenant_id = $1 AND person_id = ANY($2)"
    }
    "looks" {
        ReadLooks: "SELECT to_jsonb(t) FROM look t WHERE tenant_id = $1 AND (connection_id, source_id) IN (SELECT * FROM unnest($4, $5))",
        EmptyLooks: "DELETE FROM look WHERE tenant_id = $1 AND (connection_id, source_id) IN (SELECT * FROM unnest($4, $5))"
    }
    "staged" {
        ReadStaged: "SELECT to_jsonb(t) FROM staging_record t JOIN run ON run.tenant_id = t.tenant_id AND run.id = t.run_id
              WHERE t.tenant_id = $1 AND (run.connection_id, t.source_id) IN (SELECT * FROM unnest($4, $5))",
        EmptyStaged: "DELETE FROM staging_record t USING run WHERE run.tenant_id = t.tenant_id AND run.id = t.run_id
              AND t.tenant_id = $1 AND (run.connection_id, t.source_id) IN (SELECT * FROM unnest($4, $5))"
    }
    "seen" {
        ReadSeen: "SELECT jsonb_build_object('run_id', t.run_id, 'page', t.page) FROM staging_page t WHERE t.tenant_id = $1 AND t.seen && $5",
        EmptySeen: "UPDATE staging_page t SET seen = ARRAY(SELECT s FROM unnest(t.seen) s WHERE s <> ALL($5))
              FROM run WHERE run.tenant_id = t.tenant_id AND run.id = t.run_id AND run.connection_id = ANY($4)
              AND t.tenant_id = $1 AND t.seen && $5"
    }
    "history" {
        ReadHistory: "SELECT to_jsonb(t) FROM change t WHERE id IN (
              SELECT id FROM change WHERE tenant_id = $1 AND resource_id = ANY($3)
              UNION ALL SELECT c.id FROM (SELECT c, CASE WHEN s ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN s::uuid END FROM unnest($4, $5) AS r (c, s)) AS r (realm, resource)
              JOIN change c ON c.tenant_id = r.realm AND c.resource_id = r.resource) ORDER BY id",
        EmptyHistory: "UPDATE change t SET delta = NULL, salt = '' WHERE delta IS NOT NULL AND id IN (
              SELECT id FROM change WHERE tenant_id = $1 AND resource_id = ANY($3)
              UNION ALL SELECT c.id FROM (SELECT c, CASE WHEN s ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN s::uuid END FROM unnest($4, $5) AS r (c, s)) AS r (realm, resource)
              JOIN change c ON c.tenant_id = r.realm AND c.resource_id = r.resource)"
    }
    "written_by_clients" {
        ReadRealm: "SELECT to_jsonb(t) FROM resource t WHERE (tenant_id, id) IN (SELECT c, CASE WHEN s ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN s::uuid END FROM unnest($4, $5) AS r (c, s))",
        EmptyRealm: "WITH k AS (DELETE FROM resource_key WHERE (tenant_id, id) IN (SELECT c, CASE WHEN s ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN s::uuid END FROM unnest($4, $5) AS r (c, s)))
              DELETE FROM resource WHERE (tenant_id, id) IN (SELECT c, CASE WHEN s ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN s::uuid END FROM unnest($4, $5) AS r (c, s))"
    }
    "memberships" {
        ReadMemberships: "SELECT to_jsonb(t) FROM membership t WHERE tenant_id = $1 AND member_id = ANY($3)",
        EmptyMemberships: "DELETE FROM membership WHERE tenant_id = $1 AND member_id = ANY($3)"
    }
    "called" {
        ReadCalled: "SELECT to_jsonb(t) FROM external_id t WHERE tenant_id = $1 AND resource_id = ANY($3)",
        EmptyCalled: "DELETE FROM external_id WHERE tenant_id = $1 AND resource_id = ANY($3)"
    }
    "keys" {
        ReadKeys: "SELECT to_jsonb(t) FROM resource_key t WHERE tenant_id = $1 AND id = ANY($3)",
        EmptyKeys: "DELETE FROM resource_key WHERE tenant_id = $1 AND id = ANY($3)"
    }
    "user" {
        ReadUser: "SELECT to_jsonb(t) FROM resource t WHERE tenant_id = $1 AND id = ANY($3)",
        EmptyUser: "DELETE FROM resource WHERE tenant_id = $1 AND id = ANY($3)"
    }
    "deleted" {
        ReadDeleted: "SELECT to_jsonb(t) FROM tombstone t WHERE tenant_id = $1 AND (person_id = ANY($2) OR resource_id = ANY($3))",
        EmptyDeleted: "DELETE FROM tombstone WHERE tenant_id = $1 AND (person_id = ANY($2) OR resource_id = ANY($3))"
    }
    "records" {
        ReadRecords: "SELECT to_jsonb(t) FROM source_record t WHERE tenant_id = $1 AND person_id = ANY($2)
              ORDER BY connection_id, source_id",
        EmptyRecords: "DELETE FROM source_record WHERE tenant_id = $1
              AND (person_id = ANY($2) OR (connection_id, source_id) IN (SELECT * FROM unnest($4, $5)))"
    }
    "handed_in_files" {
        ReadUploads: "SELECT jsonb_build_object('connection_id', t.connection_id, 'created_at', t.created_at)
              FROM upload t WHERE tenant_id = $1 AND connection_id = ANY($4)",
        EmptyUploads: "DELETE FROM upload WHERE tenant_id = $1 AND connection_id = ANY($4)"
    }
    "names_given" {
        ReadGivenNames: "SELECT to_jsonb(t) FROM given_name t WHERE tenant_id = $1 AND person_id = ANY($2)",
        EmptyGivenNames: "DELETE FROM given_name WHERE tenant_id = $1 AND person_id = ANY($2)"
    }
    "employment" {
        ReadEmployment: "SELECT to_jsonb(t) FROM employment t WHERE tenant_id = $1 AND person_id = ANY($2)",
        EmptyEmployment: "DELETE FROM employment WHERE tenant_id = $1 AND person_id = ANY($2)"
    }
    "removals_to_come" {
        ReadRemovals: "SELECT to_jsonb(t) FROM planned_removal t WHERE tenant_id = $1 AND user_id = ANY($3)",
        EmptyRemovals: "DELETE FROM planned_removal WHERE tenant_id = $1 AND user_id = ANY($3)"
    }
    "person" {
        ReadPerson: "SELECT to_jsonb(t) FROM person t WHERE tenant_id = $1 AND id = ANY($2)",
        EmptyPerson: "DELETE FROM person WHERE tenant_id = $1 AND id = ANY($2)"
    }
}
