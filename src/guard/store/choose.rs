//! Declining a part of a plan.

use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{PlanId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::{Chosen, Error, Picks};
use crate::statement;

statement!(
    UnknownPicks: (SqlUuid, SqlUuid, Array<Integer>, Array<SqlUuid>) -> (BigInt, BigInt) =
    "SELECT
       (SELECT count(*) FROM UNNEST($3::int[]) AS named (ordinal) WHERE NOT EXISTS (
          SELECT FROM plan_item item
          WHERE item.tenant_id = $1 AND item.plan_id = $2 AND item.ordinal = named.ordinal)),
       (SELECT count(*) FROM UNNEST($4::uuid[]) AS named (person_id) WHERE named.person_id NOT IN (
          SELECT item.person_id FROM plan_item item
          WHERE item.tenant_id = $1 AND item.plan_id = $2 AND item.person_id = ANY($4)))"
);
statement!(
    DeclineItems: (SqlUuid, SqlUuid, Array<Integer>, Array<SqlUuid>, Array<Text>, Bool, Text) -> () =
    "UPDATE plan_item SET state = 'declined', note = $7
     WHERE tenant_id = $1 AND plan_id = $2 AND state = 'planned' AND action NOT IN ('skip', 'hold', 'conflict')
       AND (ordinal = ANY($3) OR coalesce(person_id = ANY($4), false) OR action = ANY($5)) = $6"
);
statement!(
    AnyPlanned: (SqlUuid, SqlUuid) -> (Bool,) =
    "SELECT EXISTS (SELECT FROM plan_item WHERE tenant_id = $1 AND plan_id = $2 AND state = 'planned'
                      AND action NOT IN ('skip', 'hold', 'conflict'))"
);

/// Declines what `chosen` leaves out, in the transaction that approves the rest. Items without an effect (skip, hold,
/// conflict) are no part of the choice. Returns how many were declined.
///
/// # Errors
/// [`Error::Choice`] when it names what the plan does not have, names nothing, or leaves nothing; or when the store
/// refuses.
pub async fn decline(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    chosen: &Chosen,
    by: &str,
) -> Result<usize, Error> {
    let (picks, picked_are_declined) = match chosen {
        Chosen::All => return Ok(0),
        Chosen::Only(picks) => (picks, false),
        Chosen::Except(picks) => (picks, true),
    };
    let people: Vec<Uuid> = picks.people.iter().map(|person| person.uuid()).collect();
    check(conn, tenant, plan, picks, &people).await?;
    let actions: Vec<&str> = picks.actions.iter().map(|action| action.as_str()).collect();
    let declined = DeclineItems::with((
        tenant.uuid(),
        plan.uuid(),
        picks.items.as_slice(),
        people,
        actions,
        picked_are_declined,
        format!("declined by {by}"),
    ))
    .execute(conn)
    .await?;
    let (left,): (bool,) = AnyPlanned::with((tenant.uuid(), plan.uuid()))
        .get_result(conn)
        .await?;
    if left {
        Ok(declined)
    } else {
        Err(Error::Choice(
            "nothing with an effect would be left; reject the plan instead".to_owned(),
        ))
    }
}

async fn check(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    picks: &Picks,
    people: &[Uuid],
) -> Result<(), Error> {
    if picks.is_empty() {
        return Err(Error::Choice("it names no item, person or action".to_owned()));
    }
    let (items, strangers): (i64, i64) =
        UnknownPicks::with((tenant.uuid(), plan.uuid(), picks.items.as_slice(), people))
            .get_result(conn)
            .await?;
    if items + strangers == 0 {
        Ok(())
    } else {
        Err(Error::Choice(format!(
            "it names {items} items and {strangers} people whom the plan does not have"
        )))
    }
}
