//! What a connection holds back, and who reports to whom: what a desired state reads beside the users themselves.

mod store;

pub(super) use store::{look_at_managers, look_at_untold, reports, waiting};
