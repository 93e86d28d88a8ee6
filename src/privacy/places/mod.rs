//! Where something of a person stands: one line for each place. What is read goes into the export, what is emptied goes
//! with the erase, in this order.

mod store;

pub(super) use store::{empty, read};

/// A place.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its name in an export.
    pub name: &'static str,
    /// The table.
    pub table: &'static str,
}

const fn place(name: &'static str, table: &'static str) -> Place {
    Place { name, table }
}

/// Every place.
pub const PLACES: &[Place] = &[
    place("account_states", "account_state"),
    place("attempts", "attempt"),
    place("operations", "operation"),
    place("memberships_in_apps", "account_member"),
    place("drift_in_groups", "drift_member"),
    place("drift", "drift"),
    place("accounts", "account"),
    place("accounts_of_others", "account"),
    place("holds", "hold"),
    place("holds_of_others", "hold"),
    place("kept_back", "kept_back"),
    place("reviews", "review"),
    place("plan_items", "plan_item"),
    place("run_outcomes", "run_outcome"),
    place("messages", "message"),
    place("invitations", "invitation"),
    place("events", "event"),
    place("told", "recipient"),
    place("audit", "audit_entry"),
    place("looks", "look"),
    place("staged", "staging_record"),
    place("seen", "staging_page"),
    place("walks", "walk"),
    place("history", "change"),
    place("written_by_clients", "resource"),
    place("memberships", "membership"),
    place("called", "external_id"),
    place("keys", "resource_key"),
    place("user", "resource"),
    place("deleted", "tombstone"),
    place("references_of_others", "source_record"),
    place("records", "source_record"),
    place("handed_in_files", "upload"),
    place("pushed_pages", "push_page"),
    place("moves", "rekey"),
    place("names_given", "given_name"),
    place("employment", "employment"),
    place("removals_to_come", "planned_removal"),
    place("person", "person"),
];

/// Tables in which nothing of a person stands, with the reason why.
pub const FREE: &[(&str, &str)] = &[
    ("account_wipe", "ids of users that go, until they are gone"),
    ("app", "an app and how it is"),
    ("cap_use", "numbers"),
    ("change_chain", "digests"),
    ("change_checkpoint", "digests"),
    ("change_gap", "numbers"),
    ("change_number", "numbers"),
    ("change_seen", "numbers"),
    ("client", "a SCIM client"),
    ("compare", "numbers of a compare with an app"),
    ("connection", "a connection"),
    ("connection_check", "whether settings work"),
    ("consent", "who let us read an HR system: an administrator"),
    ("consent_request", "the same, asked for"),
    ("definition", "schemas"),
    ("erased_record", "ids that are sealed, of those who were erased"),
    ("erasure", "numbers of those who were erased"),
    ("frozen", "what is frozen"),
    ("lease", "processes"),
    ("oauth_client", "the operator's clients at vendors"),
    ("notice_setting", "a language and a number"),
    ("org_group", "groups of org units"),
    ("plan", "numbers of a plan; what it does stands in its items"),
    ("push_session", "sessions of pages and how they are"),
    ("read_base", "numbers of earlier reads"),
    ("read_mark", "how far reads came"),
    ("resource_total", "numbers"),
    ("retention", "how long things are kept"),
    ("run", "numbers of a run"),
    ("schema_migration", "migrations"),
    ("setting_revision", "settings, which are an administrator's"),
    ("setup_link", "digests"),
    ("sign_in_turn", "processes"),
    ("subscription", "addresses of programs, sealed"),
    ("template", "texts of mails, which are an administrator's"),
    ("tenant", "a tenant"),
    ("token", "digests"),
    ("vendor_token", "sealed tokens"),
    ("webhook", "addresses, sealed"),
    ("webhook_delivery", "digests"),
];
