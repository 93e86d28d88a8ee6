//! Plans and their items.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Error, Verdict, store};
use crate::base::{PersonId, PlanId, ResourceId, TenantId, digest};
use crate::db::Conn;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The word in the store and in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(in crate::guard) fn read(word: &str) -> Result<Self, Error> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(Error::UnknownWord { word: word.to_owned() }),
                }
            }
        }
    };
}

words!(
    /// What made a plan.
    Cause {
        /// A run of a connection.
        Run = "run",
        /// A changed app: its scope, mapping or mode.
        App = "app",
        /// A day that came.
        Due = "due",
        /// A full compare with an app.
        Reconcile = "reconcile",
        /// A bulk action.
        Bulk = "bulk",
        /// Undoing an earlier run.
        Undo = "undo",
        /// A human's decision.
        Decision = "decision",
    }
);
impl Cause {
    /// Whether such plans are a run's, which applies them.
    #[must_use]
    pub const fn is_of_a_run(self) -> bool {
        matches!(self, Self::Run | Self::Due | Self::Undo | Self::Decision)
    }
}

words!(
    /// How far a plan is.
    PlanState {
        /// Items are still being added, or it is being applied.
        Open = "open",
        /// It will not be applied: it was made for looking at.
        Dry = "dry",
        /// It is over a limit and has no effect before somebody approves it.
        AwaitingApproval = "awaiting_approval",
        /// It may be applied.
        Approved = "approved",
        /// All its items are applied or refused.
        Applied = "applied",
        /// Somebody rejected it.
        Rejected = "rejected",
        /// A newer plan takes its place, or nothing is left that it was made for.
        Superseded = "superseded",
        /// It was approved and could not be applied: nothing of it was done.
        Failed = "failed",
    }
);
words!(
    /// What one item does.
    Action {
        /// Makes a resource or an account.
        Create = "create",
        /// Takes over one that exists.
        Link = "link",
        /// Changes attributes.
        Update = "update",
        /// Waits for a human.
        Hold = "hold",
        /// Disables.
        Disable = "disable",
        /// Removes.
        Remove = "remove",
        /// Does nothing, and says why.
        Skip = "skip",
        /// Cannot be done: something else is in the way.
        Conflict = "conflict",
    }
);
words!(
    /// How far an item is.
    ItemState {
        /// Not yet applied.
        Planned = "planned",
        /// Applied.
        Applied = "applied",
        /// What it stood on moved, or the store refused: see its note.
        Refused = "refused",
        /// Whoever approved the rest of the plan left it out: it has no effect.
        Declined = "declined",
    }
);

/// An item to be stored.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it does.
    pub action: Action,
    /// The person it is about.
    pub person: Option<PersonId>,
    /// The resource it changes, when there is one.
    pub resource: Option<ResourceId>,
    /// The resource's version on which the difference was computed.
    pub base_version: Option<i64>,
    /// The difference, in the form its maker reads again.
    pub diff: Value,
    /// Why, in words without personal data.
    pub reason: String,
}

/// An item as stored.
#[derive(Debug, Clone)]
pub struct StoredItem {
    /// Its place in the plan, from 1.
    pub ordinal: i32,
    /// The item.
    pub item: Item,
    /// How far it is.
    pub state: ItemState,
    /// What was said when it was refused.
    pub note: Option<String>,
}

/// Which plans to list.
#[derive(Debug, Clone, Default)]
pub struct PlanFilter {
    /// In one state.
    pub state: Option<PlanState>,
    /// Of one cause.
    pub cause: Option<Cause>,
    /// Of one run or app.
    pub owner: Option<Uuid>,
    /// Older than this one.
    pub before: Option<PlanId>,
}

/// Which items of a plan to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct ItemFilter {
    /// With one action.
    pub action: Option<Action>,
    /// In one state.
    pub state: Option<ItemState>,
    /// About one person.
    pub person: Option<PersonId>,
}

/// What became of an item.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Which one.
    pub ordinal: i32,
    /// How far it is now.
    pub state: ItemState,
    /// Why it was refused.
    pub note: Option<String>,
}

/// A plan without its items.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// What made it.
    pub cause: Cause,
    /// The run or the app.
    pub owner: Uuid,
    /// How far it is.
    pub state: PlanState,
    /// Over all items.
    pub hash: Vec<u8>,
    /// Over what the items do, whatever their order and the ids that differ from plan to plan; none where nobody said
    /// what they do.
    pub effects: Option<Vec<u8>>,
    /// Numbers by word.
    pub counts: Value,
    /// What the guard said.
    pub verdict: Verdict,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Why it failed or was superseded.
    pub reason: Option<String>,
}

impl Plan {
    /// The hash as people see it.
    #[must_use]
    pub fn hash_hex(&self) -> String {
        hex(&self.hash)
    }

    /// The hash over the effects as people see it.
    #[must_use]
    pub fn effects_hex(&self) -> Option<String> {
        self.effects.as_deref().map(hex)
    }
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes a plan, batch by batch, and hashes it on the way.
#[derive(Debug)]
pub struct Writer {
    tenant: TenantId,
    plan: PlanId,
    last: i32,
    hash: Vec<u8>,
    effects: Option<Vec<u8>>,
}

impl Writer {
    /// Opens an empty plan.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn open(
        conn: &mut Conn,
        tenant: TenantId,
        cause: Cause,
        owner: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let plan = PlanId::new();
        store::open(conn, tenant, plan, cause, owner, now).await?;
        Ok(Self {
            tenant,
            plan,
            last: 0,
            hash: Vec::new(),
            effects: None,
        })
    }

    /// The plan's id.
    #[must_use]
    pub const fn plan(&self) -> PlanId {
        self.plan
    }

    /// The place that the next item gets.
    #[must_use]
    pub const fn next(&self) -> i32 {
        self.last.saturating_add(1)
    }

    /// Adds items after those added before. One statement, however many.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn add(&mut self, conn: &mut Conn, items: &[Item]) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        let first = self.last.saturating_add(1);
        for item in items {
            self.hash = chained(&self.hash, item);
            self.last = self.last.saturating_add(1);
        }
        store::add(conn, self.tenant, self.plan, first, items).await
    }

    /// Adds the digest of what an item does to that over all effects. The order does not matter; equal effects are
    /// told apart by whom they concern.
    pub fn fold(&mut self, effect: &[u8]) {
        let all = self.effects.get_or_insert_with(|| vec![0; effect.len()]);
        for (all, one) in all.iter_mut().zip(effect) {
            *all ^= one;
        }
    }

    /// Ends the plan: its hash, numbers and verdict stand, and it is in `state`. Returns the hash.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn seal(
        self,
        conn: &mut Conn,
        counts: &Value,
        verdict: &Verdict,
        state: PlanState,
    ) -> Result<Vec<u8>, Error> {
        // The numbers too: a plan may have no item and still ask, as when records are missing.
        let mut bytes = self.hash;
        bytes.extend_from_slice(counts.to_string().as_bytes());
        let hash = digest(&bytes);
        let hashes = (hash.as_slice(), self.effects.as_deref());
        store::seal(conn, self.tenant, self.plan, hashes, counts, verdict, state).await?;
        Ok(hash)
    }
}

fn chained(before: &[u8], item: &Item) -> Vec<u8> {
    let mut bytes = before.to_vec();
    let text = serde_json::json!([
        item.action.as_str(),
        item.person,
        item.resource,
        item.base_version,
        item.diff,
        item.reason
    ]);
    bytes.extend_from_slice(text.to_string().as_bytes());
    digest(&bytes)
}
