//! The statements of each place. All take the same: $1 tenant, $2 person, $3 its users, $4 and $5 its records
//! (connection and id beside each other), $6 texts that name the person and nobody else.

use diesel::sql_types::{Array, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::db::{Conn, Statement as _};
use crate::privacy::Error;
use crate::privacy::store::Subject;
use crate::statement;

macro_rules! places {
    ($($name:literal { $read:ident: $select:literal, $empty:ident: $erase:literal })+) => {
        $(
            statement!(
                $read: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Text>) -> (Jsonb,) = $select
            );
            statement!(
                $empty: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Text>) -> () = $erase
            );
        )+

        /// The rows of a place.
        pub(in crate::privacy) async fn read(
            conn: &mut Conn,
            place: &str,
            of: &Subject,
        ) -> Result<Vec<Value>, Error> {
            let rows: Vec<(Value,)> = match place {
                $($name => $read::with(of.binds()).load(conn).await?,)+
                _ => Vec::new(),
            };
            Ok(rows.into_iter().map(|(row,)| row).collect())
        }

        /// Empties a place; how many rows that touched.
        pub(in crate::privacy) async fn empty(
            conn: &mut Conn,
            place: &str,
            of: &Subject,
        ) -> Result<usize, Error> {
            Ok(match place {
                $($name => $empty::with(of.binds()).execute(conn).await?,)+
                _ => 0,
            })
        }
    };
}

places! {
    "account_states" {
        ReadAccountStates: "SELECT to_jsonb(t) FROM account_state t WHERE tenant_id = $1 AND resource_id = ANY($3) ORDER BY at, id",
        EmptyAccountStates: "DELETE FROM account_state WHERE tenant_id = $1 AND resource_id = ANY($3)"
    }
    "attempts" {
        ReadAttempts: "SELECT to_jsonb(t) FROM attempt t JOIN operation o ON o.tenant_id = t.tenant_id AND o.app_id = t.app_id
              AND o.id = t.operation_id WHERE o.tenant_id = $1 AND o.resource_id = ANY($3) ORDER BY t.at",
        EmptyAttempts: "UPDATE attempt SET detail = '(erased)' WHERE tenant_id = $1 AND EXISTS (
              SELECT FROM unnest($6) s WHERE strpos(lower(detail), lower(s)) > 0)"
    }
    "operations" {
        ReadOperations: "SELECT to_jsonb(t) FROM operation t WHERE tenant_id = $1 AND resource_id = ANY($3) ORDER BY id",
        EmptyOperations: "UPDATE operation SET body = NULL, after = NULL, path = '(erased)'
             WHERE tenant_id = $1 AND state IN ('done', 'refused') AND EXISTS (
              SELECT FROM unnest($6) s WHERE strpos(lower(concat(body, after, path)), lower(s)) > 0)"
    }
    "memberships_in_apps" {
        ReadMembersInApps: "SELECT to_jsonb(t) FROM account_member t WHERE tenant_id = $1 AND member_id = ANY($3)",
        EmptyMembersInApps: "DELETE FROM account_member WHERE tenant_id = $1 AND member_id = ANY($3)"
    }
    "drift_in_groups" {
        ReadDriftInGroups: "SELECT to_jsonb(t) FROM drift_member t WHERE tenant_id = $1 AND member_id = ANY($3)",
        EmptyDriftInGroups: "DELETE FROM drift_member WHERE tenant_id = $1 AND member_id = ANY($3)"
    }
    "drift" {
        ReadDrift: "SELECT to_jsonb(t) FROM drift t WHERE tenant_id = $1 AND resource_id = ANY($3)",
        EmptyDrift: "DELETE FROM drift WHERE tenant_id = $1 AND (resource_id = ANY($3)
              OR EXISTS (SELECT FROM unnest($6) s WHERE strpos(lower(concat(differences, read)), lower(s)) > 0))"
    }
    "accounts" {
        ReadAccounts: "SELECT to_jsonb(t) FROM account t WHERE tenant_id = $1 AND resource_id = ANY($3) ORDER BY app_id",
        EmptyAccounts: "DELETE FROM account WHERE tenant_id = $1 AND resource_id = ANY($3)"
    }
    "accounts_of_others" {
        ReadAccountsOfOthers: "SELECT jsonb_build_object('app_id', t.app_id, 'resource_id', t.resource_id) FROM account t
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND EXISTS (
              SELECT FROM unnest($6) s WHERE strpos(lower(concat(t.known, t.candidates)), lower(s)) > 0)",
        EmptyAccountsOfOthers: "UPDATE account t SET look = true, due_at = NULL, candidates = NULL, known = CASE WHEN t.known IS NULL THEN NULL ELSE (
              SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(t.known) e WHERE NOT EXISTS (
                  SELECT FROM unnest($6) s WHERE strpos(lower(e.value::text), lower(s)) > 0)) END
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND EXISTS (
              SELECT FROM unnest($6) s WHERE strpos(lower(concat(t.known, t.candidates)), lower(s)) > 0)"
    }
    "holds" {
        ReadHolds: "SELECT to_jsonb(t) FROM hold t WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3)) ORDER BY id",
        EmptyHolds: "DELETE FROM hold WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3))"
    }
    "holds_of_others" {
        ReadHoldsOfOthers: "SELECT jsonb_build_object('resource_id', t.resource_id, 'field', t.field) FROM hold t
              WHERE tenant_id = $1 AND person_id IS DISTINCT FROM $2 AND resource_id <> ALL($3) AND EXISTS (
              SELECT FROM unnest($6) s WHERE strpos(lower(concat(t.old, t.new, t.detail)), lower(s)) > 0)",
        EmptyHoldsOfOthers: "WITH gone AS (DELETE FROM hold t WHERE tenant_id = $1 AND EXISTS (
                  SELECT FROM unnest($6) s WHERE strpos(lower(concat(t.old, t.new, t.detail)), lower(s)) > 0)
                  RETURNING app_id, resource_id)
              UPDATE account a SET look = true, due_at = NULL FROM gone
              WHERE a.tenant_id = $1 AND a.app_id = gone.app_id AND a.resource_id = gone.resource_id"
    }
    "kept_back" {
        ReadKeptBack: "SELECT to_jsonb(t) - 'value' FROM kept_back t WHERE tenant_id = $1 AND (person_id = $2
              OR (owner_id = ANY($4) AND subject IN (SELECT 'record:' || s FROM unnest($5) s)))",
        EmptyKeptBack: "DELETE FROM kept_back WHERE tenant_id = $1 AND (person_id = $2
              OR (owner_id = ANY($4) AND subject IN (SELECT 'record:' || s FROM unnest($5) s)))"
    }
    "reviews" {
        ReadReviews: "SELECT to_jsonb(t) FROM review t WHERE tenant_id = $1 AND (candidates && ARRAY[$2]
              OR EXISTS (SELECT FROM unnest($4, $5) r(c, s) WHERE r.c = t.connection_id AND r.s = ANY(t.source_ids))) ORDER BY id",
        EmptyReviews: "DELETE FROM review t WHERE tenant_id = $1 AND (candidates && ARRAY[$2]
              OR EXISTS (SELECT FROM unnest($4, $5) r(c, s) WHERE r.c = t.connection_id AND r.s = ANY(t.source_ids)))"
    }
    "plan_items" {
        ReadPlanItems: "SELECT to_jsonb(t) FROM plan_item t WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3)
              OR EXISTS (SELECT FROM unnest($5) s WHERE t.person_id IS NULL
                         AND t.diff @> jsonb_build_object('records', jsonb_build_array(jsonb_build_object('source_id', s)))))
              ORDER BY plan_id, ordinal",
        EmptyPlanItems: "UPDATE plan_item t SET diff = '{}', reason = 'erased', note = NULL,
              state = CASE WHEN state = 'planned' THEN 'refused' ELSE state END
              WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3)
              OR EXISTS (SELECT FROM unnest($6) s WHERE strpos(lower(concat(t.diff, t.reason, t.note)), lower(s)) > 0)
              OR EXISTS (SELECT FROM unnest($5) s WHERE t.person_id IS NULL
                         AND t.diff @> jsonb_build_object('records', jsonb_build_array(jsonb_build_object('source_id', s)))))"
    }
    "run_outcomes" {
        ReadRunOutcomes: "SELECT to_jsonb(t) FROM run_outcome t JOIN run ON run.tenant_id = t.tenant_id AND run.id = t.run_id
              WHERE t.tenant_id = $1 AND (t.person_id = $2
              OR (run.connection_id, t.source_id) IN (SELECT * FROM unnest($4, $5))) ORDER BY t.run_id, t.ordinal",
        EmptyRunOutcomes: "UPDATE run_outcome t SET source_id = NULL, employee_number = NULL, person_id = NULL, message = '(erased)'
              FROM run WHERE run.tenant_id = t.tenant_id AND run.id = t.run_id AND t.tenant_id = $1 AND (t.person_id = $2
              OR (run.connection_id, t.source_id) IN (SELECT * FROM unnest($4, $5)))"
    }
    "messages" {
        ReadMessages: "SELECT to_jsonb(t) FROM message t JOIN event e ON e.tenant_id = t.tenant_id AND e.id = t.event_id
              WHERE t.tenant_id = $1 AND (e.person_id = $2 OR lower(t.address) = ANY($6)) ORDER BY t.id",
        EmptyMessages: "DELETE FROM message WHERE tenant_id = $1 AND (lower(address) = ANY($6)
              OR EXISTS (SELECT FROM unnest($6) s WHERE strpos(lower(detail), lower(s)) > 0))"
    }
    "invitations" {
        ReadInvitations: "SELECT to_jsonb(t) FROM invitation t WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3))
              ORDER BY app_id, resource_id",
        EmptyInvitations: "DELETE FROM invitation WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3))"
    }
    "events" {
        ReadEvents: "SELECT to_jsonb(t) FROM event t WHERE tenant_id = $1 AND person_id = $2 ORDER BY id",
        EmptyEvents: "DELETE FROM event WHERE tenant_id = $1 AND (person_id = $2
              OR EXISTS (SELECT FROM unnest($6) s WHERE strpos(lower(detail::text), lower(s)) > 0)
              OR EXISTS (SELECT FROM unnest($3) u WHERE strpos(detail::text, u::text) > 0))"
    }
    "told" {
        ReadTold: "SELECT to_jsonb(t) FROM recipient t WHERE tenant_id = $1 AND lower(address) = ANY($6)",
        EmptyTold: "DELETE FROM recipient WHERE tenant_id = $1 AND lower(address) = ANY($6)"
    }
    "audit" {
        ReadAudit: "SELECT to_jsonb(t) FROM audit_entry t WHERE tenant_id = $1
              AND (subject LIKE '%' || $2::text || '%' OR EXISTS (SELECT FROM unnest($3) u WHERE subject LIKE '%' || u::text || '%'))
              ORDER BY id",
        EmptyAudit: "UPDATE audit_entry SET detail = '{\"erased\": true}' WHERE tenant_id = $1 AND detail <> '{}'
              AND (subject LIKE '%' || $2::text || '%' OR EXISTS (SELECT FROM unnest($3) u WHERE subject LIKE '%' || u::text || '%'))"
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
    "walks" {
        ReadWalks: "SELECT jsonb_build_object('expires_at', t.expires_at) FROM walk t WHERE tenant_id = $1 AND EXISTS (
              SELECT FROM unnest($6) s WHERE strpos(lower(t.last_key::text), lower(s)) > 0)",
        EmptyWalks: "DELETE FROM walk t WHERE tenant_id = $1 AND EXISTS (
              SELECT FROM unnest($6) s WHERE strpos(lower(t.last_key::text), lower(s)) > 0)"
    }
    "history" {
        ReadHistory: "SELECT to_jsonb(t) FROM change t WHERE (tenant_id = $1 AND (resource_id = ANY($3) OR person_id = $2))
              OR (tenant_id = ANY($4) AND (tenant_id, resource_id::text) IN (SELECT * FROM unnest($4, $5))) ORDER BY id",
        EmptyHistory: "UPDATE change t SET delta = NULL, salt = '' WHERE delta IS NOT NULL
              AND ((tenant_id = $1 AND (resource_id = ANY($3) OR person_id = $2))
              OR (tenant_id = ANY($4) AND (tenant_id, resource_id::text) IN (SELECT * FROM unnest($4, $5)))
              OR (tenant_id = $1 AND EXISTS (SELECT FROM unnest($6) s WHERE strpos(lower(t.delta::text), lower(s)) > 0)))"
    }
    "written_by_clients" {
        ReadRealm: "SELECT to_jsonb(t) FROM resource t WHERE tenant_id = ANY($4) AND (tenant_id, id::text) IN (SELECT * FROM unnest($4, $5))",
        EmptyRealm: "WITH k AS (DELETE FROM resource_key WHERE tenant_id = ANY($4) AND (tenant_id, id::text) IN (SELECT * FROM unnest($4, $5)))
              DELETE FROM resource WHERE tenant_id = ANY($4) AND (tenant_id, id::text) IN (SELECT * FROM unnest($4, $5))"
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
        ReadDeleted: "SELECT to_jsonb(t) FROM tombstone t WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3))",
        EmptyDeleted: "DELETE FROM tombstone WHERE tenant_id = $1 AND (person_id = $2 OR resource_id = ANY($3))"
    }
    "references_of_others" {
        ReadReferences: "SELECT jsonb_build_object('connection_id', t.connection_id, 'source_id', t.source_id) FROM source_record t
              WHERE tenant_id = $1 AND person_id IS DISTINCT FROM $2 AND employee -> 'manager' IS NOT NULL
              AND ((connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                   OR lower(employee #>> '{manager,email}') = ANY($6) OR employee #>> '{manager,employee_number}' = ANY($6))",
        EmptyReferences: "UPDATE source_record t SET employee = employee - 'manager'
              WHERE tenant_id = $1 AND person_id IS DISTINCT FROM $2 AND employee -> 'manager' IS NOT NULL
              AND ((connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                   OR lower(employee #>> '{manager,email}') = ANY($6) OR employee #>> '{manager,employee_number}' = ANY($6))"
    }
    "records" {
        ReadRecords: "SELECT to_jsonb(t) FROM source_record t WHERE tenant_id = $1 AND person_id = $2
              ORDER BY connection_id, source_id",
        EmptyRecords: "DELETE FROM source_record WHERE tenant_id = $1
              AND (person_id = $2 OR (connection_id, source_id) IN (SELECT * FROM unnest($4, $5)))"
    }
    "handed_in_files" {
        ReadUploads: "SELECT jsonb_build_object('connection_id', t.connection_id, 'created_at', t.created_at)
              FROM upload t WHERE tenant_id = $1 AND connection_id = ANY($4)",
        EmptyUploads: "DELETE FROM upload WHERE tenant_id = $1 AND connection_id = ANY($4)"
    }
    "pushed_pages" {
        ReadPushedPages: "SELECT jsonb_build_object('connection_id', s.connection_id, 'session', s.id, 'page', t.number)
              FROM push_page t JOIN push_session s ON s.tenant_id = t.tenant_id AND s.id = t.session_id
              WHERE t.tenant_id = $1 AND s.connection_id = ANY($4)",
        EmptyPushedPages: "DELETE FROM push_session WHERE tenant_id = $1 AND connection_id = ANY($4) AND state <> 'committed'"
    }
    "moves" {
        ReadMoves: "SELECT jsonb_build_object('run_id', t.run_id, 'from_id', t.from_id) FROM rekey t WHERE tenant_id = $1
              AND EXISTS (SELECT FROM unnest($5) r(s) WHERE r.s = ANY(t.old_ids) OR r.s = ANY(t.new_ids))",
        EmptyMoves: "DELETE FROM rekey t WHERE tenant_id = $1
              AND EXISTS (SELECT FROM unnest($5) r(s) WHERE r.s = ANY(t.old_ids) OR r.s = ANY(t.new_ids))"
    }
    "names_given" {
        ReadGivenNames: "SELECT to_jsonb(t) FROM given_name t WHERE tenant_id = $1 AND person_id = $2",
        EmptyGivenNames: "DELETE FROM given_name WHERE tenant_id = $1 AND person_id = $2"
    }
    "employment" {
        ReadEmployment: "SELECT to_jsonb(t) FROM employment t WHERE tenant_id = $1 AND person_id = $2",
        EmptyEmployment: "DELETE FROM employment WHERE tenant_id = $1 AND person_id = $2"
    }
    "removals_to_come" {
        ReadRemovals: "SELECT to_jsonb(t) FROM planned_removal t WHERE tenant_id = $1 AND user_id = ANY($3)",
        EmptyRemovals: "DELETE FROM planned_removal WHERE tenant_id = $1 AND user_id = ANY($3)"
    }
    "person" {
        ReadPerson: "SELECT to_jsonb(t) FROM person t WHERE tenant_id = $1 AND id = $2",
        EmptyPerson: "DELETE FROM person WHERE tenant_id = $1 AND id = $2"
    }
}
