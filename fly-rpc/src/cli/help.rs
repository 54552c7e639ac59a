//! What the command says of itself.

use super::arguments::Topic;

/// The help for a subcommand, or for all of it.
pub(super) fn text(topic: Option<Topic>) -> &'static str {
    match topic {
        None => ALL,
        Some(Topic::Keygen) => KEYGEN,
        Some(Topic::Nodes) => NODES,
        Some(Topic::Catalogue) => CATALOGUE,
        Some(Topic::Call) => CALL,
        Some(Topic::Ping) => PING,
        Some(Topic::Doctor) => DOCTOR,
    }
}

const ALL: &str = "\
Looks at a cluster of fly-rpc nodes, and calls their functions.

Usage: fly-rpc SUBCOMMAND [OPTIONS]        fly-rpc SUBCOMMAND --help

  nodes        who is there, where, and how far away
  catalogue    which nodes serve which functions: how far a roll-out is
  call         call a function with JSON
  ping         how long nodes take to answer
  doctor       what is set in a way that will hurt, each with its cure
  keygen       make a cluster secret

Options of all of them:
  --json            for programs
  --cluster NAME    the cluster's name, instead of FLY_RPC_CLUSTER
  --timeout TIME    how long a call, or an answer, may take: 800ms, 2s, 1m
  -h, --help        -V, --version

It finds the nodes by the environment, as a node does: FLY_RPC_SECRET with
FLY_RPC_PEERS=host:port, or on Fly with the private DNS. With none of these set
it looks for nodes in development mode on this machine. It only looks: nobody
calls it, and it leaves no trace.

Exit codes:
   0  done                              6  the JSON does not fit the function
   1  doctor found something,           7  the call failed; it did not run
      or pings were lost                8  the call failed; it may have run
   2  wrong usage or settings           9  it ran, and its value is not known
   3  no node answers                  10  it ran and returned an error
   4  another secret or cluster        11  the output cannot be written
   5  another version of the protocol 130  interrupted
";

const KEYGEN: &str = "\
Makes a cluster secret: 32 random bytes in base64.

Usage: fly-rpc keygen [--json]

  fly secrets set FLY_RPC_SECRET=\"$(fly-rpc keygen)\"
";

const NODES: &str = "\
Lists the nodes: region (* is the primary's), id, state, round-trip time, number
of functions, build.

Usage: fly-rpc nodes [--watch] [--json] [--cluster NAME]

  -w, --watch    look again every second, until interrupted; with --json a line
                 each time
";

const CATALOGUE: &str = "\
Shows which nodes serve which functions. Nodes that serve the same and call
their build the same are one column.

Usage: fly-rpc catalogue [--differing] [--json] [--cluster NAME]

  --differing    only functions that are not the same everywhere

  yes      serves it
  -        does not
  OTHER    serves something else under that name and version: calls between
           these nodes and the others are refused
";

const CALL: &str = "\
Calls a function. Its value is printed as JSON.

Usage: fly-rpc call NAME[@VERSION] [JSON] [--on TARGET] [--timeout TIME]

  fly-rpc call create_post@2 '{\"author\":7,\"body\":\"hi\"}'
  fly-rpc call upcase '[\"fly\"]' --on hkg
  echo '{\"author\":7,\"body\":\"hi\"}' | fly-rpc call create_post -

JSON is an object by the names of the parameters, or an array in their order; -
reads it from the standard input. Without a version the highest that is offered
is called. TARGET is a region, or @primary, @nearest, @any, @region(hkg),
@node(id); by default where the function is pinned, else @any.

Bytes are base64. Variants are \"Name\" or {\"Name\": …}. An option of what may be
null is null or {\"Some\": …}. Maps whose keys are no texts, numbers or names are
arrays of pairs. Floats that are no numbers are \"NaN\", \"Infinity\", \"-Infinity\".

A call is made at most once. If it fails, the exit code says whether the
function ran: 7 it did not, 8 it may have, 9 it did; 10, it returned an Err.
";

const PING: &str = "\
Asks nodes how they are, several times one after the other, and shows how long
that took.

Usage: fly-rpc ping [NODE | TARGET] [--count N] [--timeout TIME] [--json]

  -c, --count N    how often (5)
";

const DOCTOR: &str = "\
Looks for what is set in a way that will hurt: secret, bind address, IPv6, where
the primary is, clocks, drain and kill timeouts, functions that are missing
somewhere, nodes that do not see each other, autostop.

Usage: fly-rpc doctor [--config fly.toml] [--json] [--cluster NAME]

  --config FILE    the fly.toml to look at; by default the one that lies here

Exit code 1 if there is a problem or a warning.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for text in [ALL, KEYGEN, NODES, CATALOGUE, CALL, PING, DOCTOR] {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }
}
