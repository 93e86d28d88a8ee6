//! The statements of what is a person's own, or tells of them, and no index finds: the tenant's rows are gone through. All take
//! the same: $1 tenant, $2 people, $3 their users, $4 and $5 their records (connection and id beside each other), $6 texts
//! that name them and nobody else, as written and folded, $7 entity and number of each record, with a slash between.

use diesel::sql_types::{Array, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::places;
use crate::db::{Conn, Statement as _};
use crate::privacy::Error;
use crate::privacy::store::Subject;
use crate::statement;

places! {
    "attempts" {
        ReadAttempts: "SELECT to_jsonb(t) FROM operation o JOIN attempt t ON t.tenant_id = o.tenant_id AND t.app_id = o.app_id
              AND t.operation_id = o.id WHERE o.tenant_id = $1 AND o.app_id IN (SELECT id FROM app WHERE tenant_id = $1)
              AND o.resource_id = ANY($3) ORDER BY t.at",
        EmptyAttempts: "UPDATE attempt SET detail = erase_words(detail, $6)
              WHERE tenant_id = $1 AND erase_words(detail, $6) <> detail"
    }
    "operations" {
        ReadOperations: "SELECT to_jsonb(t) FROM operation t WHERE tenant_id = $1
              AND app_id IN (SELECT id FROM app WHERE tenant_id = $1) AND resource_id = ANY($3) ORDER BY id",
        EmptyOperations: "UPDATE operation SET body = erase_values(body, $6, false), after = erase_values(after, $6, false)
              WHERE tenant_id = $1 AND resource_id <> ALL($3)
              AND (erase_values(body, $6, false) <> body OR erase_values(after, $6, false) <> after)"
    }
    "drift" {
        ReadDrift: "SELECT to_jsonb(t) FROM drift t WHERE tenant_id = $1 AND resource_id = ANY($3)",
        EmptyDrift: "WITH own AS (DELETE FROM drift WHERE tenant_id = $1 AND resource_id = ANY($3))
              UPDATE drift SET differences = erase_values(differences, $6, true), read = erase_values(read, $6, true)
              WHERE tenant_id = $1 AND resource_id <> ALL($3)
              AND (erase_values(differences, $6, true) <> differences OR erase_values(read, $6, true) <> read)"
    }
    "reviews" {
        ReadReviews: "SELECT to_jsonb(t) FROM review t WHERE tenant_id = $1 AND (candidates && $2
              OR EXISTS (SELECT FROM unnest($4, $5) r(c, s) WHERE r.c = t.connection_id AND r.s = ANY(t.source_ids))) ORDER BY id",
        EmptyReviews: "DELETE FROM review t WHERE tenant_id = $1 AND (candidates && $2
              OR EXISTS (SELECT FROM unnest($4, $5) r(c, s) WHERE r.c = t.connection_id AND r.s = ANY(t.source_ids)))"
    }
    "plan_items" {
        ReadPlanItems: "SELECT to_jsonb(t) FROM plan_item t WHERE tenant_id = $1 AND (person_id = ANY($2) OR resource_id = ANY($3) OR (person_id IS NULL AND EXISTS (
              SELECT FROM unnest($5) s WHERE t.diff @> jsonb_build_object('records', jsonb_build_array(jsonb_build_object('source_id', s))))
              AND EXISTS (SELECT FROM plan p WHERE p.tenant_id = $1 AND p.id = t.plan_id AND p.owner_id = ANY($4))))
              ORDER BY plan_id, ordinal",
        EmptyPlanItems: "UPDATE plan_item t SET diff = '{}', reason = 'erased', note = NULL,
              state = CASE WHEN state = 'planned' THEN 'refused' ELSE state END
              WHERE tenant_id = $1 AND diff <> '{}' AND (person_id = ANY($2) OR resource_id = ANY($3) OR (person_id IS NULL AND EXISTS (
              SELECT FROM unnest($5) s WHERE t.diff @> jsonb_build_object('records', jsonb_build_array(jsonb_build_object('source_id', s))))
              AND EXISTS (SELECT FROM plan p WHERE p.tenant_id = $1 AND p.id = t.plan_id AND p.owner_id = ANY($4))))"
    }
    "messages" {
        ReadMessages: "SELECT to_jsonb(t) FROM message t JOIN event e ON e.tenant_id = t.tenant_id AND e.id = t.event_id
              WHERE t.tenant_id = $1 AND (e.person_id = ANY($2) OR scim_fold(t.address) = ANY($6)) ORDER BY t.id",
        EmptyMessages: "WITH own AS (DELETE FROM message WHERE tenant_id = $1 AND scim_fold(address) = ANY($6))
              UPDATE message SET detail = erase_words(detail, $6) WHERE tenant_id = $1
              AND (address IS NULL OR scim_fold(address) <> ALL($6)) AND erase_words(detail, $6) <> detail"
    }
    "told_of" {
        ReadToldOf: "SELECT to_jsonb(t) FROM event t WHERE tenant_id = $1
              AND detail ->> 'user' IN (SELECT u::text FROM unnest($3) u) ORDER BY id",
        EmptyToldOf: "WITH own AS (DELETE FROM event WHERE tenant_id = $1
                  AND (person_id = ANY($2) OR detail ->> 'user' IN (SELECT u::text FROM unnest($3) u)))
              UPDATE event SET detail = erase_values(detail, $6, true) WHERE tenant_id = $1
              AND (person_id IS NULL OR person_id <> ALL($2))
              AND (detail ->> 'user' IS NULL OR detail ->> 'user' NOT IN (SELECT u::text FROM unnest($3) u))
              AND erase_values(detail, $6, true) <> detail"
    }
    "told" {
        ReadTold: "SELECT to_jsonb(t) FROM recipient t WHERE tenant_id = $1 AND scim_fold(address) = ANY($6)",
        EmptyTold: "DELETE FROM recipient WHERE tenant_id = $1 AND scim_fold(address) = ANY($6)"
    }
    "told_again" {
        ReadToldAgain: "SELECT to_jsonb(s) FROM notice_setting t CROSS JOIN LATERAL unnest(t.escalate_to) s
              WHERE tenant_id = $1 AND scim_fold(s) = ANY($6)",
        EmptyToldAgain: "UPDATE notice_setting t SET escalate_to = ARRAY(SELECT s FROM unnest(t.escalate_to) s WHERE scim_fold(s) <> ALL($6))
              WHERE tenant_id = $1 AND EXISTS (SELECT FROM unnest(t.escalate_to) s WHERE scim_fold(s) = ANY($6))"
    }
    "audit" {
        ReadAudit: "SELECT to_jsonb(t) FROM audit_entry t WHERE tenant_id = $1
              AND EXISTS (SELECT FROM unnest($2 || $3) u WHERE strpos(subject, u::text) > 0) ORDER BY id",
        EmptyAudit: "UPDATE audit_entry SET detail = CASE WHEN EXISTS (SELECT FROM unnest($2 || $3) u WHERE strpos(subject, u::text) > 0)
                  THEN '{\"erased\": true}' ELSE erase_values(detail, $6, true) END
              WHERE tenant_id = $1 AND (erase_values(detail, $6, true) <> detail
                  OR (detail <> '{}' AND EXISTS (SELECT FROM unnest($2 || $3) u WHERE strpos(subject, u::text) > 0)))"
    }
    "moves" {
        ReadMoves: "SELECT jsonb_build_object('run_id', t.run_id, 'from_id', t.from_id) FROM rekey t WHERE tenant_id = $1
              AND EXISTS (SELECT FROM unnest($5) r(s) WHERE r.s = ANY(t.old_ids) OR r.s = ANY(t.new_ids))",
        EmptyMoves: "DELETE FROM rekey t WHERE tenant_id = $1
              AND EXISTS (SELECT FROM unnest($5) r(s) WHERE r.s = ANY(t.old_ids) OR r.s = ANY(t.new_ids))"
    }
}
