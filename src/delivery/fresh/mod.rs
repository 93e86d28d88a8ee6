//! Looks at accounts whose person's employments changed: an app with a timing of its own, or bound to an entity, may
//! have another answer although the user itself is as before.

mod store;

pub(super) use store::look_at_fresh;
