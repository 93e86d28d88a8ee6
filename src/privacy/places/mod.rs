//! Where something of a person stands: one line for each place. What is read goes into the export, what is emptied goes
//! with the erase, in this order.

mod store;

pub(super) use store::{empty, read};

/// Whose rows a place has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The person's own, found by indexes: emptied in one transaction.
    Own,
    /// The person's own, which no index finds: the tenant's are gone through, before, for several people at once.
    Scattered,
    /// Those of others, or of nobody, that mention the person: gone through in the same way, and no part of an export.
    Mentions,
}

/// A place.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its name in an export.
    pub name: &'static str,
    /// The table.
    pub table: &'static str,
    /// Whose rows these are.
    pub reach: Reach,
}

const fn own(name: &'static str, table: &'static str) -> Place {
    let reach = Reach::Own;
    Place { name, table, reach }
}

const fn scattered(name: &'static str, table: &'static str) -> Place {
    let reach = Reach::Scattered;
    Place { name, table, reach }
}

const fn mentions(name: &'static str, table: &'static str) -> Place {
    let reach = Reach::Mentions;
    Place { name, table, reach }
}

/// Every place.
pub const PLACES: &[Place] = &[
    scattered("attempts", "attempt"),
    scattered("operations", "operation"),
    scattered("drift", "drift"),
    mentions("accounts_of_others", "account"),
    mentions("states_of_others", "account_state"),
    mentions("holds_of_others", "hold"),
    scattered("reviews", "review"),
    mentions("reviews_of_others", "review"),
    scattered("plan_items", "plan_item"),
    mentions("plan_items_of_others", "plan_item"),
    mentions("plans", "plan"),
    scattered("messages", "message"),
    scattered("told_of", "event"),
    scattered("told", "recipient"),
    scattered("told_again", "notice_setting"),
    scattered("audit", "audit_entry"),
    mentions("walks", "walk"),
    mentions("history_of_others", "change"),
    mentions("references_of_others", "source_record"),
    mentions("references_staged", "staging_record"),
    mentions("remarks_of_others", "source_record"),
    mentions("outcomes_of_others", "run_outcome"),
    scattered("moves", "rekey"),
    mentions("words_of_apps", "app"),
    mentions("words_of_compares", "compare"),
    mentions("words_of_runs", "run"),
    mentions("words_of_freezes", "frozen"),
    mentions("words_of_removals", "planned_removal"),
    mentions("words_of_endings", "person"),
    mentions("words_of_webhooks", "webhook"),
    mentions("words_of_subscriptions", "subscription"),
    mentions("words_of_checks", "connection_check"),
    own("account_states", "account_state"),
    own("memberships_in_apps", "account_member"),
    own("drift_in_groups", "drift_member"),
    own("accounts", "account"),
    own("holds", "hold"),
    own("kept_back", "kept_back"),
    own("run_outcomes", "run_outcome"),
    own("invitations", "invitation"),
    own("events", "event"),
    own("looks", "look"),
    own("staged", "staging_record"),
    own("seen", "staging_page"),
    own("history", "change"),
    own("written_by_clients", "resource"),
    own("memberships", "membership"),
    own("called", "external_id"),
    own("keys", "resource_key"),
    own("user", "resource"),
    own("deleted", "tombstone"),
    own("records", "source_record"),
    own("handed_in_files", "upload"),
    own("names_given", "given_name"),
    own("employment", "employment"),
    own("removals_to_come", "planned_removal"),
    own("person", "person"),
];

/// Tables in which nothing of a person stands, with the reason why.
pub const FREE: &[(&str, &str)] = &[
    ("account_wipe", "ids of users that go, until they are gone"),
    ("cap_use", "numbers"),
    ("change_chain", "digests"),
    ("change_checkpoint", "digests"),
    ("change_gap", "numbers"),
    ("change_number", "numbers"),
    ("change_seen", "numbers"),
    ("client", "a SCIM client"),
    ("connection", "a connection"),
    ("consent", "who let us read an HR system: an administrator"),
    ("consent_request", "the same, asked for"),
    ("definition", "schemas"),
    ("erased_record", "ids that are sealed, of those who were erased"),
    ("erasure", "numbers of those who were erased"),
    ("lease", "processes"),
    ("oauth_client", "the operator's clients at vendors"),
    ("org_group", "groups of org units"),
    (
        "push_page",
        "pages that are sealed, until their session ends; who was erased is passed over",
    ),
    ("push_session", "sessions of pages and how they are"),
    ("read_base", "numbers of earlier reads"),
    ("read_mark", "how far reads came"),
    ("resource_total", "numbers"),
    ("retention", "how long things are kept"),
    ("schema_migration", "migrations"),
    ("setting_revision", "settings, which are an administrator's"),
    ("setup_link", "digests"),
    ("sign_in_turn", "processes"),
    ("template", "texts of mails, which are an administrator's"),
    ("tenant", "a tenant"),
    ("token", "digests"),
    ("vendor_token", "sealed tokens"),
    ("webhook_delivery", "digests"),
];
