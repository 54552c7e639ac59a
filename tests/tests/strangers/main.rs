//! Strangers at a node's door: what they are told, what the log says of them, what they cost, and what is in the way of
//! those who try again with what they recorded.

mod floods;
mod refused;
mod replays;
mod stalled;

/// Whoever measures, or takes all that there is of something, does so alone.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
