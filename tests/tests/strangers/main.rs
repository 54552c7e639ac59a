//! Strangers at a node's door: what they are told, what the log says of them, what they cost, and what is in the way of
//! those who try again with what they recorded.

mod floods;
mod refused;
