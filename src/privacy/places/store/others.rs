//! The statements of what others' rows say of a person: the tenant's rows are gone through, in the background. All take the same: $1 tenant, $2 people, $3 their users, $4 and $5 their records (connection and
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
    "accounts_of_others" {
        ReadAccountsOfOthers: "SELECT jsonb_build_object('app_id', t.app_id, 'resource_id', t.resource_id) FROM account t
              WHERE tenant_id = $1 AND resource_id <> ALL($3)
              AND (erase_values(known, $6, false) <> known OR erase_values(candidates, $6, true) <> candidates)",
        EmptyAccountsOfOthers: "UPDATE account SET known = erase_values(known, $6, false), candidates = erase_values(candidates, $6, true),
              answers = erase_values(answers, $6, true), reason = erase_words(reason, $6),
              look = look OR (state <> 'unmatched' AND erase_values(known, $6, false) IS DISTINCT FROM known),
              due_at = CASE WHEN erase_values(known, $6, false) IS DISTINCT FROM known THEN NULL ELSE due_at END
              WHERE tenant_id = $1 AND resource_id <> ALL($3)
              AND (erase_values(known, $6, false) <> known OR erase_values(candidates, $6, true) <> candidates
                   OR erase_values(answers, $6, true) <> answers OR erase_words(reason, $6) <> reason)"
    }
    "states_of_others" {
        ReadStatesOfOthers: "SELECT jsonb_build_object('app_id', t.app_id, 'resource_id', t.resource_id, 'at', t.at) FROM account_state t
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND erase_words(reason, $6) <> reason",
        EmptyStatesOfOthers: "UPDATE account_state SET reason = erase_words(reason, $6)
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND erase_words(reason, $6) <> reason"
    }
    "holds_of_others" {
        ReadHoldsOfOthers: "SELECT jsonb_build_object('resource_id', t.resource_id, 'field', t.field) FROM hold t
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2)) AND (resource_id IS NULL OR resource_id <> ALL($3))
              AND (erase_values(old, $6, true) <> old OR erase_values(new, $6, true) <> new OR erase_words(detail, $6) <> detail)",
        EmptyHoldsOfOthers: "UPDATE hold SET old = erase_values(old, $6, true), detail = erase_words(detail, $6),
              new = CASE state WHEN 'open' THEN new ELSE erase_values(new, $6, true) END
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2)) AND (resource_id IS NULL OR resource_id <> ALL($3))
              AND (erase_values(old, $6, true) <> old OR erase_words(detail, $6) <> detail
                   OR (state <> 'open' AND erase_values(new, $6, true) <> new))"
    }
    "reviews" {
        ReadReviews: "SELECT to_jsonb(t) FROM review t WHERE tenant_id = $1 AND (candidates && $2
              OR EXISTS (SELECT FROM unnest($4, $5) r(c, s) WHERE r.c = t.connection_id AND r.s = ANY(t.source_ids))) ORDER BY id",
        EmptyReviews: "DELETE FROM review t WHERE tenant_id = $1 AND (candidates && $2
              OR EXISTS (SELECT FROM unnest($4, $5) r(c, s) WHERE r.c = t.connection_id AND r.s = ANY(t.source_ids)))"
    }
    "reviews_of_others" {
        ReadReviewsOfOthers: "SELECT jsonb_build_object('id', t.id, 'reason', t.reason) FROM review t
              WHERE tenant_id = $1 AND NOT candidates && $2 AND erase_values(to_jsonb(t), $6, true) <> to_jsonb(t)",
        EmptyReviewsOfOthers: "UPDATE review SET reason = erase_words(reason, $6), decision = erase_values(decision, $6, true),
              before = erase_values(before, $6, true) WHERE tenant_id = $1
              AND (erase_words(reason, $6) <> reason OR erase_values(decision, $6, true) <> decision
                   OR erase_values(before, $6, true) <> before)"
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
    "plan_items_of_others" {
        ReadPlanItemsOfOthers: "SELECT jsonb_build_object('plan_id', t.plan_id, 'ordinal', t.ordinal) FROM plan_item t
              WHERE tenant_id = $1 AND state <> 'planned' AND erase_values(diff, $6, false) <> diff
              AND (person_id IS NULL OR person_id <> ALL($2)) AND (resource_id IS NULL OR resource_id <> ALL($3))",
        EmptyPlanItemsOfOthers: "UPDATE plan_item t SET diff = erase_values(diff, $6, false), reason = erase_words(reason, $6),
              note = erase_words(note, $6)
              WHERE tenant_id = $1 AND (erase_values(diff, $6, false) <> diff OR erase_words(reason, $6) <> reason
                   OR erase_words(note, $6) <> note)
              AND (state <> 'planned' OR EXISTS (SELECT FROM plan p WHERE p.tenant_id = $1 AND p.id = t.plan_id
                   AND p.state IN ('dry', 'applied', 'rejected', 'superseded', 'failed')))"
    }
    "plans" {
        ReadPlans: "SELECT jsonb_build_object('id', t.id, 'counts', t.counts) FROM plan t
              WHERE tenant_id = $1 AND erase_values(counts, $6, true) <> counts",
        EmptyPlans: "UPDATE plan SET counts = erase_values(counts, $6, true), verdict = erase_values(verdict, $6, true)
              WHERE tenant_id = $1 AND (erase_values(counts, $6, true) <> counts OR erase_values(verdict, $6, true) <> verdict)"
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
    "walks" {
        ReadWalks: "SELECT jsonb_build_object('expires_at', t.expires_at) FROM walk t
              WHERE tenant_id = $1 AND erase_values(last_key, $6, false) <> last_key",
        EmptyWalks: "DELETE FROM walk WHERE tenant_id = $1 AND erase_values(last_key, $6, false) <> last_key"
    }
    "history_of_others" {
        ReadHistoryOfOthers: "SELECT jsonb_build_object('id', t.id, 'resource_id', t.resource_id, 'at', t.at) FROM change t
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND person_id = ANY($2)",
        EmptyHistoryOfOthers: "UPDATE change SET salt = '', delta = CASE WHEN person_id = ANY($2) THEN NULL ELSE erase_values(delta, $6, false) END
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND delta IS NOT NULL
              AND (person_id = ANY($2) OR erase_values(delta, $6, false) <> delta)"
    }
    "references_of_others" {
        ReadReferences: "SELECT jsonb_build_object('connection_id', t.connection_id, 'source_id', t.source_id) FROM source_record t
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2)) AND employee -> 'manager' IS NOT NULL AND (
                  (connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                  OR scim_fold(employee #>> '{manager,email}') = ANY($6)
                  OR (connection_id, entity_key || '/' || (employee #>> '{manager,employee_number}')) IN (SELECT * FROM unnest($4, $7)))",
        EmptyReferences: "UPDATE source_record t SET employee = employee - 'manager'
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2)) AND employee -> 'manager' IS NOT NULL AND (
                  (connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                  OR scim_fold(employee #>> '{manager,email}') = ANY($6)
                  OR (connection_id, entity_key || '/' || (employee #>> '{manager,employee_number}')) IN (SELECT * FROM unnest($4, $7)))"
    }
    "references_staged" {
        ReadReferencesStaged: "SELECT jsonb_build_object('run_id', t.run_id, 'source_id', t.source_id) FROM staging_record t
              JOIN run ON run.tenant_id = t.tenant_id AND run.id = t.run_id WHERE t.tenant_id = $1 AND employee -> 'manager' IS NOT NULL AND (
                  (run.connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                  OR scim_fold(employee #>> '{manager,email}') = ANY($6))",
        EmptyReferencesStaged: "UPDATE staging_record t SET employee = employee - 'manager' FROM run
              WHERE run.tenant_id = t.tenant_id AND run.id = t.run_id AND t.tenant_id = $1 AND employee -> 'manager' IS NOT NULL AND (
                  (run.connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                  OR scim_fold(employee #>> '{manager,email}') = ANY($6))"
    }
    "remarks_of_others" {
        ReadRemarks: "SELECT jsonb_build_object('connection_id', t.connection_id, 'source_id', t.source_id) FROM source_record t
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2))
              AND erase_values(outcome_detail, $6, true) <> outcome_detail",
        EmptyRemarks: "UPDATE source_record SET outcome_detail = erase_values(outcome_detail, $6, true)
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2))
              AND erase_values(outcome_detail, $6, true) <> outcome_detail"
    }
    "outcomes_of_others" {
        ReadOutcomesOfOthers: "SELECT jsonb_build_object('run_id', t.run_id, 'ordinal', t.ordinal) FROM run_outcome t
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2)) AND erase_words(message, $6) <> message",
        EmptyOutcomesOfOthers: "UPDATE run_outcome SET message = erase_words(message, $6)
              WHERE tenant_id = $1 AND erase_words(message, $6) <> message"
    }
    "moves" {
        ReadMoves: "SELECT jsonb_build_object('run_id', t.run_id, 'from_id', t.from_id) FROM rekey t WHERE tenant_id = $1
              AND EXISTS (SELECT FROM unnest($5) r(s) WHERE r.s = ANY(t.old_ids) OR r.s = ANY(t.new_ids))",
        EmptyMoves: "DELETE FROM rekey t WHERE tenant_id = $1
              AND EXISTS (SELECT FROM unnest($5) r(s) WHERE r.s = ANY(t.old_ids) OR r.s = ANY(t.new_ids))"
    }
    "words_of_apps" {
        ReadApps: "SELECT jsonb_build_object('id', t.id) FROM app t WHERE tenant_id = $1 AND (erase_words(trouble, $6) <> trouble)",
        EmptyApps: "UPDATE app SET trouble = erase_words(trouble, $6)
              WHERE tenant_id = $1 AND (erase_words(trouble, $6) <> trouble)"
    }
    "words_of_compares" {
        ReadCompares: "SELECT jsonb_build_object('id', t.id) FROM compare t WHERE tenant_id = $1 AND (erase_words(words, $6) <> words)",
        EmptyCompares: "UPDATE compare SET words = erase_words(words, $6)
              WHERE tenant_id = $1 AND (erase_words(words, $6) <> words)"
    }
    "words_of_runs" {
        ReadRuns: "SELECT jsonb_build_object('id', t.id) FROM run t WHERE tenant_id = $1 AND (erase_values(error, $6, true) <> error)",
        EmptyRuns: "UPDATE run SET error = erase_values(error, $6, true)
              WHERE tenant_id = $1 AND (erase_values(error, $6, true) <> error)"
    }
    "words_of_freezes" {
        ReadFreezes: "SELECT jsonb_build_object('owner_id', t.owner_id) FROM frozen t WHERE tenant_id = $1 AND (erase_words(reason, $6) <> reason)",
        EmptyFreezes: "UPDATE frozen SET reason = erase_words(reason, $6)
              WHERE tenant_id = $1 AND (erase_words(reason, $6) <> reason)"
    }
    "words_of_removals" {
        ReadRemovals: "SELECT jsonb_build_object('user_id', t.user_id) FROM planned_removal t WHERE tenant_id = $1 AND (erase_words(reason, $6) <> reason)",
        EmptyRemovals: "UPDATE planned_removal SET reason = erase_words(reason, $6)
              WHERE tenant_id = $1 AND (erase_words(reason, $6) <> reason)"
    }
    "words_of_endings" {
        ReadEndings: "SELECT jsonb_build_object('id', t.id) FROM person t WHERE tenant_id = $1 AND id <> ALL($2)
              AND erase_values(suspended, $6, true) <> suspended",
        EmptyEndings: "UPDATE person SET suspended = erase_values(suspended, $6, true)
              WHERE tenant_id = $1 AND id <> ALL($2) AND erase_values(suspended, $6, true) <> suspended"
    }
    "words_of_webhooks" {
        ReadWebhooks: "SELECT jsonb_build_object('id', t.id) FROM webhook t WHERE tenant_id = $1 AND (erase_words(last_failure, $6) <> last_failure)",
        EmptyWebhooks: "UPDATE webhook SET last_failure = erase_words(last_failure, $6)
              WHERE tenant_id = $1 AND (erase_words(last_failure, $6) <> last_failure)"
    }
    "words_of_subscriptions" {
        ReadSubscriptions: "SELECT jsonb_build_object('id', t.id) FROM subscription t WHERE tenant_id = $1 AND (erase_words(last_failure, $6) <> last_failure)",
        EmptySubscriptions: "UPDATE subscription SET last_failure = erase_words(last_failure, $6)
              WHERE tenant_id = $1 AND (erase_words(last_failure, $6) <> last_failure)"
    }
    "words_of_checks" {
        ReadChecks: "SELECT jsonb_build_object('connection_id', t.connection_id) FROM connection_check t WHERE tenant_id = $1 AND (erase_values(steps, $6, true) <> steps)",
        EmptyChecks: "UPDATE connection_check SET steps = erase_values(steps, $6, true)
              WHERE tenant_id = $1 AND (erase_values(steps, $6, true) <> steps)"
    }
}
