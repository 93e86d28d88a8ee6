//! The statements of where rows of others mention a person: the tenant's rows are gone through. All take
//! the same: $1 tenant, $2 people, $3 their users, $4 and $5 their records (connection and id beside each other), $6 texts
//! that name them and nobody else, as written and folded, $7 entity and number of each record, with a slash between.

use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::mentioned;
use crate::db::{Conn, Statement as _};
use crate::privacy::Error;
use crate::privacy::store::Subject;
use crate::statement;

mentioned! {
    "accounts_of_others" { EmptyAccountsOfOthers: "UPDATE account SET known = erase_values(known, $6, false), candidates = erase_values(candidates, $6, true),
              answers = erase_values(answers, $6, true), reason = erase_words(reason, $6),
              look = look OR (state <> 'unmatched' AND erase_values(known, $6, false) IS DISTINCT FROM known),
              due_at = CASE WHEN erase_values(known, $6, false) IS DISTINCT FROM known THEN NULL ELSE due_at END
              WHERE tenant_id = $1 AND resource_id <> ALL($3)
              AND (erase_values(known, $6, false) <> known OR erase_values(candidates, $6, true) <> candidates
                   OR erase_values(answers, $6, true) <> answers OR erase_words(reason, $6) <> reason)" }
    "states_of_others" { EmptyStatesOfOthers: "UPDATE account_state SET reason = erase_words(reason, $6)
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND erase_words(reason, $6) <> reason" }
    "holds_of_others" { EmptyHoldsOfOthers: "UPDATE hold SET old = erase_values(old, $6, true), detail = erase_words(detail, $6),
              new = CASE state WHEN 'open' THEN new ELSE erase_values(new, $6, true) END
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2)) AND (resource_id IS NULL OR resource_id <> ALL($3))
              AND (erase_values(old, $6, true) <> old OR erase_words(detail, $6) <> detail
                   OR (state <> 'open' AND erase_values(new, $6, true) <> new))" }
    "reviews_of_others" { EmptyReviewsOfOthers: "UPDATE review SET reason = erase_words(reason, $6), decision = erase_values(decision, $6, true),
              before = erase_values(before, $6, true) WHERE tenant_id = $1
              AND (erase_words(reason, $6) <> reason OR erase_values(decision, $6, true) <> decision
                   OR erase_values(before, $6, true) <> before)" }
    "plan_items_of_others" { EmptyPlanItemsOfOthers: "UPDATE plan_item t SET diff = erase_values(diff, $6, false), reason = erase_words(reason, $6),
              note = erase_words(note, $6)
              WHERE tenant_id = $1 AND (erase_values(diff, $6, false) <> diff OR erase_words(reason, $6) <> reason
                   OR erase_words(note, $6) <> note)
              AND (state <> 'planned' OR EXISTS (SELECT FROM plan p WHERE p.tenant_id = $1 AND p.id = t.plan_id
                   AND p.state IN ('dry', 'applied', 'rejected', 'superseded', 'failed')))" }
    "plans" { EmptyPlans: "UPDATE plan SET counts = erase_values(counts, $6, true), verdict = erase_values(verdict, $6, true)
              WHERE tenant_id = $1 AND (erase_values(counts, $6, true) <> counts OR erase_values(verdict, $6, true) <> verdict)" }
    "walks" { EmptyWalks: "DELETE FROM walk WHERE tenant_id = $1 AND erase_values(last_key, $6, false) <> last_key" }
    "history_of_others" { EmptyHistoryOfOthers: "UPDATE change SET salt = '', delta = CASE WHEN person_id = ANY($2) THEN NULL ELSE erase_values(delta, $6, false) END
              WHERE tenant_id = $1 AND resource_id <> ALL($3) AND delta IS NOT NULL
              AND (person_id = ANY($2) OR erase_values(delta, $6, false) <> delta)" }
    "references_of_others" { EmptyReferences: "UPDATE source_record t SET employee = employee - 'manager'
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2)) AND employee -> 'manager' IS NOT NULL AND (
                  (connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                  OR scim_fold(employee #>> '{manager,email}') = ANY($6)
                  OR (connection_id, entity_key || '/' || (employee #>> '{manager,employee_number}')) IN (SELECT * FROM unnest($4, $7)))" }
    "references_staged" { EmptyReferencesStaged: "UPDATE staging_record t SET employee = employee - 'manager' FROM run
              WHERE run.tenant_id = t.tenant_id AND run.id = t.run_id AND t.tenant_id = $1 AND employee -> 'manager' IS NOT NULL AND (
                  (run.connection_id, employee #>> '{manager,source_id}') IN (SELECT * FROM unnest($4, $5))
                  OR scim_fold(employee #>> '{manager,email}') = ANY($6))" }
    "remarks_of_others" { EmptyRemarks: "UPDATE source_record SET outcome_detail = erase_values(outcome_detail, $6, true)
              WHERE tenant_id = $1 AND (person_id IS NULL OR person_id <> ALL($2))
              AND erase_values(outcome_detail, $6, true) <> outcome_detail" }
    "outcomes_of_others" { EmptyOutcomesOfOthers: "UPDATE run_outcome SET message = erase_words(message, $6)
              WHERE tenant_id = $1 AND erase_words(message, $6) <> message" }
    "words_of_apps" { EmptyApps: "UPDATE app SET trouble = erase_words(trouble, $6)
              WHERE tenant_id = $1 AND (erase_words(trouble, $6) <> trouble)" }
    "words_of_compares" { EmptyCompares: "UPDATE compare SET words = erase_words(words, $6)
              WHERE tenant_id = $1 AND (erase_words(words, $6) <> words)" }
    "words_of_runs" { EmptyRuns: "UPDATE run SET error = erase_values(error, $6, true)
              WHERE tenant_id = $1 AND (erase_values(error, $6, true) <> error)" }
    "words_of_freezes" { EmptyFreezes: "UPDATE frozen SET reason = erase_words(reason, $6)
              WHERE tenant_id = $1 AND (erase_words(reason, $6) <> reason)" }
    "words_of_removals" { EmptyRemovals: "UPDATE planned_removal SET reason = erase_words(reason, $6)
              WHERE tenant_id = $1 AND (erase_words(reason, $6) <> reason)" }
    "words_of_endings" { EmptyEndings: "UPDATE person SET suspended = erase_values(suspended, $6, true)
              WHERE tenant_id = $1 AND id <> ALL($2) AND erase_values(suspended, $6, true) <> suspended" }
    "words_of_webhooks" { EmptyWebhooks: "UPDATE webhook SET last_failure = erase_words(last_failure, $6)
              WHERE tenant_id = $1 AND (erase_words(last_failure, $6) <> last_failure)" }
    "words_of_subscriptions" { EmptySubscriptions: "UPDATE subscription SET last_failure = erase_words(last_failure, $6)
              WHERE tenant_id = $1 AND (erase_words(last_failure, $6) <> last_failure)" }
    "words_of_checks" { EmptyChecks: "UPDATE connection_check SET steps = erase_values(steps, $6, true)
              WHERE tenant_id = $1 AND (erase_values(steps, $6, true) <> steps)" }
}
