//! `[guard]`: what a plan may do to the app's accounts without an approval.

use crate::guard::{EffectLimits, Limit};
use crate::provision::error::Problem;

/// `[guard]`: what a publication, a bulk action or a repair may do to the app's accounts without an approval.
pub type Guard = EffectLimits;

/// A share is 0 to 1.
pub(super) fn problems(at: &str, limits: &[(&'static str, Limit)], found: &mut Vec<Problem>) {
    for (name, limit) in limits {
        if limit.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            found.push(Problem::at(
                &format!("{at}.{name}"),
                "`share` is 0 to 1: a part of the accounts that are there",
            ));
        }
    }
}
