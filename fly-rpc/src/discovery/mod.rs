//! Zero-configuration discovery: nodes of one user on one machine find each other through a
//! directory.

mod announcement;
mod directory;
mod names;

pub(crate) use announcement::{Announcement, LocalNode, follow};
pub(crate) use directory::LocalDirectory;
pub(crate) use names::follow_name;
