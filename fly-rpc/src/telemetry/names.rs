//! The names of all metrics, with their units and meanings.
//!
//! Names and units follow Prometheus. No label is called `app`, `region`, `host` or `instance`: Fly's
//! scraper puts its own in their place. README.md has the same as a table, and a test compares the two.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) const CALLS_STARTED: &str = "fly_rpc_calls_started_total";
pub(super) const CALLS_FINISHED: &str = "fly_rpc_calls_finished_total";
pub(super) const CALL_DURATION: &str = "fly_rpc_call_duration_seconds";
pub(super) const CALL_RETRIES: &str = "fly_rpc_call_retries_total";
pub(super) const CALL_SENT: &str = "fly_rpc_call_sent_bytes_total";
pub(super) const CALL_RECEIVED: &str = "fly_rpc_call_received_bytes_total";
pub(super) const CALLS_PENDING: &str = "fly_rpc_calls_pending";
pub(super) const REQUESTS_STARTED: &str = "fly_rpc_requests_started_total";
pub(super) const REQUESTS_FINISHED: &str = "fly_rpc_requests_finished_total";
pub(super) const REQUESTS_REFUSED: &str = "fly_rpc_requests_refused_total";
pub(super) const REQUEST_DURATION: &str = "fly_rpc_request_duration_seconds";
pub(super) const REQUEST_RECEIVED: &str = "fly_rpc_request_received_bytes_total";
pub(super) const REQUEST_SENT: &str = "fly_rpc_request_sent_bytes_total";
pub(super) const HANDLERS: &str = "fly_rpc_handlers";
pub(super) const PEERS: &str = "fly_rpc_peers";
pub(super) const ROUND_TRIP: &str = "fly_rpc_round_trip_seconds";
pub(super) const CONNECTIONS: &str = "fly_rpc_connections";
pub(super) const CONNECTIONS_MADE: &str = "fly_rpc_connections_made_total";
pub(super) const CONNECTIONS_REFUSED: &str = "fly_rpc_connections_refused_total";
pub(super) const ADDRESS_PROOFS: &str = "fly_rpc_address_proofs_total";
pub(super) const FRAMES_READ: &str = "fly_rpc_frames_read_total";
pub(super) const IS_PRIMARY: &str = "fly_rpc_is_primary";
pub(super) const PRIMARY_EPOCH: &str = "fly_rpc_primary_epoch";
pub(super) const PRIMARY_MOVES: &str = "fly_rpc_primary_moves_total";
pub(super) const PRIMARY_DISAGREEMENTS: &str = "fly_rpc_primary_disagreements_total";
pub(super) const PRIMARY_DISAGREEING: &str = "fly_rpc_primary_disagreeing_peers";
pub(super) const DRAINING: &str = "fly_rpc_draining";

/// Tells the recorder what each of them means.
pub(super) fn describe() {
    for (name, unit, meaning) in COUNTERS {
        describe_counter!(name, unit, meaning);
    }
    for (name, unit, meaning) in GAUGES {
        describe_gauge!(name, unit, meaning);
    }
    for (name, unit, meaning) in HISTOGRAMS {
        describe_histogram!(name, unit, meaning);
    }
}

type Line = (&'static str, Unit, &'static str);

const COUNTERS: [Line; 16] = [
    (CALLS_STARTED, Unit::Count, "Calls that this node began"),
    (
        CALLS_FINISHED,
        Unit::Count,
        "Calls of this node that ended, by how, and by whether the function ran",
    ),
    (
        CALL_RETRIES,
        Unit::Count,
        "Attempts of this node's calls beyond the first of each",
    ),
    (
        CALL_SENT,
        Unit::Bytes,
        "Encoded arguments that this node gave to be sent, once for each attempt",
    ),
    (
        CALL_RECEIVED,
        Unit::Bytes,
        "Encoded values that this node received",
    ),
    (
        REQUESTS_STARTED,
        Unit::Count,
        "Requests of peers that this node let in",
    ),
    (
        REQUESTS_FINISHED,
        Unit::Count,
        "Requests of peers that were let in and ended, by how, and by whether the function ran",
    ),
    (
        REQUESTS_REFUSED,
        Unit::Count,
        "Requests of peers that this node refused before the function began",
    ),
    (
        REQUEST_RECEIVED,
        Unit::Bytes,
        "Encoded arguments of requests that were let in",
    ),
    (
        REQUEST_SENT,
        Unit::Bytes,
        "Encoded values that were answered",
    ),
    (
        CONNECTIONS_MADE,
        Unit::Count,
        "Connections with peers that were made, by whichever end: beyond one for each peer they are reconnections",
    ),
    (
        CONNECTIONS_REFUSED,
        Unit::Count,
        "Connections from outside that were refused",
    ),
    (
        ADDRESS_PROOFS,
        Unit::Count,
        "Connections from outside that were asked to prove their address first",
    ),
    (FRAMES_READ, Unit::Count, "Frames that were read from peers"),
    (
        PRIMARY_MOVES,
        Unit::Count,
        "How often this node saw the primary move",
    ),
    (
        PRIMARY_DISAGREEMENTS,
        Unit::Count,
        "How often a peer was found to see the primary elsewhere for a second or longer",
    ),
];

const GAUGES: [Line; 9] = [
    (
        CALLS_PENDING,
        Unit::Count,
        "Calls of this node that await an answer of a peer",
    ),
    (
        HANDLERS,
        Unit::Count,
        "Functions that run now, for peers and for this node itself",
    ),
    (PEERS, Unit::Count, "Nodes that are connected"),
    (
        ROUND_TRIP,
        Unit::Seconds,
        "The least round-trip time to a connected node",
    ),
    (
        CONNECTIONS,
        Unit::Count,
        "Connections to peers that are open",
    ),
    (
        IS_PRIMARY,
        Unit::Count,
        "1 if this node runs where it sees the primary, else 0",
    ),
    (
        PRIMARY_EPOCH,
        Unit::Count,
        "The epoch of this node's view of the primary",
    ),
    (
        PRIMARY_DISAGREEING,
        Unit::Count,
        "Connected nodes that see the primary elsewhere now",
    ),
    (
        DRAINING,
        Unit::Count,
        "1 if this node takes no new calls, else 0",
    ),
];

const HISTOGRAMS: [Line; 2] = [
    (
        CALL_DURATION,
        Unit::Seconds,
        "From the first poll of a call to its end",
    ),
    (
        REQUEST_DURATION,
        Unit::Seconds,
        "From a request that was let in to its answer",
    ),
];
