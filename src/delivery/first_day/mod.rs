//! Welcomes that wait for a first day: sent when it has come, put off when it moves, withdrawn when nobody comes.

mod store;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::Error;
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::{Directory, Stored};
use crate::notice::{Waiting, Welcome};
use crate::scim::{HR, Object};

/// The hour of the first day at which somebody is invited, in UTC: morning in Europe.
const MORNING: NaiveTime = match NaiveTime::from_hms_opt(6, 0, 0) {
    Some(time) => time,
    None => NaiveTime::MIN,
};
/// A first day that moved is seen within this time.
const LOOK: TimeDelta = TimeDelta::hours(1);
/// Of whom nothing was heard for so long after the first day that was known first, nobody comes any more.
const NOBODY_COMES: TimeDelta = TimeDelta::days(90);

/// The morning of a user's first day.
pub(super) fn first_day(user: &Object) -> Option<DateTime<Utc>> {
    let day: NaiveDate = user.get(HR)?.get("firstDay")?.as_str()?.parse().ok()?;
    Some(day.and_time(MORNING).and_utc())
}

/// Says of welcomes that wait for a first day what is to become of them. Two statements for each tenant.
///
/// # Errors
/// When the store refuses.
pub async fn welcomes(
    conn: &mut Conn,
    directory: &Directory,
    waiting: Vec<Waiting>,
    now: DateTime<Utc>,
) -> Result<Vec<(Waiting, Welcome)>, Error> {
    let mut tenants: BTreeMap<TenantId, Vec<Waiting>> = BTreeMap::new();
    for one in waiting {
        tenants.entry(one.tenant).or_default().push(one);
    }
    let mut found = Vec::new();
    for (tenant, waiting) in tenants {
        let users: Vec<ResourceId> = waiting.iter().map(|one| one.user).collect();
        let stored = directory.load(conn, tenant, &users).await?;
        let open = store::open(conn, tenant, &users).await?;
        for one in waiting {
            let is_open = open.contains(&(one.app, one.user));
            let welcome = judge(&one, &stored, is_open, now);
            found.push((one, welcome));
        }
    }
    Ok(found)
}

fn judge(one: &Waiting, users: &HashMap<ResourceId, Stored>, is_open: bool, now: DateTime<Utc>) -> Welcome {
    let Some(user) = users.get(&one.user) else {
        return Welcome::Never("withdrawn: the user is no longer there".to_owned());
    };
    let first_day = first_day(&user.object);
    if user.active == Some(false) || !is_open {
        let words = "withdrawn: the account is not open, for the user is not active or belongs no longer into the app";
        if one.since + NOBODY_COMES < now && first_day.is_none_or(|day| day + NOBODY_COMES < now) {
            return Welcome::Never(words.to_owned());
        }
        return Welcome::NotNow(now + LOOK, words.to_owned());
    }
    match first_day.filter(|day| *day > now) {
        Some(day) => Welcome::Later(day.min(now + LOOK)),
        None => Welcome::Now,
    }
}
