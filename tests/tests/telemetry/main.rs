//! What is told of calls: spans on both sides, one tree over all nodes, and metrics.

mod functions;
mod metrics;
mod recorded;
mod spans;
mod traces;
