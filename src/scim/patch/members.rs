//! What a PATCH does to the members of a group, without loading them.

use serde_json::Value;

use crate::scim::error::Error;
use crate::scim::filter::{Bound, Op, Operand, PatchTarget};
use crate::scim::path::Place;
use crate::scim::read::{Member, members};
use crate::scim::tolerated::{Manner, Shape};
use crate::scim::value::Reader;

use super::request::OperationKind;

/// One step on the members of a group; steps are taken in order. Adding who is there, or removing who is not, is no
/// change.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberChange {
    /// These become members.
    Add(Vec<Member>),
    /// These ids are members no longer.
    Remove(Vec<String>),
    /// Members that meet the filter (see [`Bound::matches_element`]) are members no longer.
    RemoveWhere(Bound),
    /// These are the members, and nobody else.
    Replace(Vec<Member>),
    /// Nobody is a member.
    Clear,
}

/// The step that one operation on `members` means; none if it names nobody.
pub(super) fn change(
    reader: &mut Reader,
    manner: Manner,
    op: OperationKind,
    (place, target): (&Place, &PatchTarget),
    value: Option<&Value>,
) -> Result<Option<MemberChange>, Error> {
    let fixed = || Error::mutability("a member is added or removed, never changed");
    if place.sub.is_some() || target.sub.is_some() {
        return Err(fixed());
    }
    let given = value.filter(|value| !value.is_null());
    let Some(filter) = &target.filter else {
        return plain(reader, manner, op, given);
    };
    let bound = super::element::bound(reader, filter, place)?;
    match op {
        OperationKind::Add => Err(Error::no_target(
            "to add a member, send the path members without a filter",
        )),
        OperationKind::Replace => Err(Error::no_target("a member is added or removed, never replaced")),
        OperationKind::Remove => Ok(Some(match ids(&bound) {
            Some(ids) => MemberChange::Remove(ids),
            None => MemberChange::RemoveWhere(bound),
        })),
    }
}

fn plain(
    reader: &mut Reader,
    manner: Manner,
    op: OperationKind,
    value: Option<&Value>,
) -> Result<Option<MemberChange>, Error> {
    let Some(value) = value else {
        return Ok((op != OperationKind::Add).then_some(MemberChange::Clear));
    };
    let mut listed = members(reader, value)?;
    manner.name_members(&mut listed);
    if manner == Manner::Entra && op == OperationKind::Add {
        let all = listed.len();
        listed.retain(|member| member.value.parse::<uuid::Uuid>().is_ok());
        if listed.len() < all {
            reader.note(Shape::ForeignMember);
        }
    }
    Ok(match op {
        OperationKind::Add => (!listed.is_empty()).then_some(MemberChange::Add(listed)),
        OperationKind::Replace if listed.is_empty() => Some(MemberChange::Clear),
        OperationKind::Replace => Some(MemberChange::Replace(listed)),
        OperationKind::Remove => {
            reader.note(Shape::RemoveByValue);
            let ids: Vec<String> = listed.into_iter().map(|member| member.value).collect();
            (!ids.is_empty()).then_some(MemberChange::Remove(ids))
        }
    })
}

/// The ids that a filter names, if it does nothing else: `value eq "a" or value eq "b"`.
fn ids(bound: &Bound) -> Option<Vec<String>> {
    match bound {
        Bound::Compare {
            place,
            op: Op::Eq,
            operand: Operand::Text(id),
        } if place.leaf().name == "value" => Some(vec![id.clone()]),
        Bound::Or(parts) => {
            let lists: Option<Vec<Vec<String>>> = parts.iter().map(ids).collect();
            Some(lists?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
