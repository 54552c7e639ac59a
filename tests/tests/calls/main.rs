//! What a call does: where it runs, what it gives, how it fails, and whether the function ran.

mod cancellation;
mod contracts;
mod deadlines;
mod delivery;
mod fallbacks;
mod functions;
mod pair;
mod panics;
mod retries;
mod scopes;
mod targets;
mod values;
mod versions;
