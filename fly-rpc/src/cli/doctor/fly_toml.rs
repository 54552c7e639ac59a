//! What of `fly.toml` concerns a node.

use std::time::Duration;

use toml::{Table, Value};

use super::super::duration;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FlyToml {
    pub(super) primary_region: Option<String>,
    pub(super) kill_signal: Option<String>,
    pub(super) kill_timeout: Option<Duration>,
    /// In some service machines are stopped that seem to have nothing to do.
    pub(super) autostop: bool,
}

impl FlyToml {
    /// # Errors
    /// Why it is no TOML, or what cannot be understood of it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| text[..span.start].lines().count());
            format!("line {}: {}", line.unwrap_or(1).max(1), error.message())
        })?;
        let text = |key| table.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            primary_region: text("primary_region"),
            kill_signal: text("kill_signal"),
            kill_timeout: table.get("kill_timeout").map(kill_timeout).transpose()?,
            autostop: services(&table).any(is_stopped),
        })
    }
}

/// `5`, which are seconds, or `"5s"`, `"1m30s"`.
fn kill_timeout(value: &Value) -> Result<Duration, String> {
    let seconds = |number: &i64| u64::try_from(*number).ok().map(Duration::from_secs);
    let timeout = match value {
        Value::Integer(number) => seconds(number),
        Value::String(text) => {
            let number = text.parse().ok();
            duration::parse(text).or_else(|| seconds(&number?))
        }
        _ => None,
    };
    timeout.ok_or_else(|| "kill_timeout is no time, as 10 or \"10s\"".to_owned())
}

fn services(table: &Table) -> impl Iterator<Item = &Table> {
    let http = table.get("http_service").and_then(Value::as_table);
    let others = table.get("services").and_then(Value::as_array);
    let others = others.into_iter().flatten().filter_map(Value::as_table);
    http.into_iter().chain(others)
}

/// `"stop"` or `"suspend"`; older files have `true`.
fn is_stopped(service: &Table) -> bool {
    match service.get("auto_stop_machines") {
        Some(Value::String(text)) => text != "off",
        Some(Value::Boolean(stops)) => *stops,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_a_node_is_found_and_nothing_else() {
        let toml = "\
app = \"guestbook\"
primary_region = 'iad' # the database
kill_signal = \"SIGTERM\"
kill_timeout = \"1m30s\"
[env]
  kill_timeout = \"1s\"
[http_service]
  auto_stop_machines = \"stop\"
  min_machines_running = 0
  [[http_service.checks]]
    interval = \"10s\"
";
        let expected = FlyToml {
            primary_region: Some("iad".to_owned()),
            kill_signal: Some("SIGTERM".to_owned()),
            kill_timeout: Some(Duration::from_secs(90)),
            autostop: true,
        };
        assert_eq!(FlyToml::read(toml), Ok(expected));
        let read = |toml| FlyToml::read(toml).expect("sound");
        let off = read("kill_timeout = 5\n[[services]]\nauto_stop_machines = false\n");
        assert_eq!(
            (off.kill_timeout, off.autostop),
            (Some(Duration::from_secs(5)), false)
        );
        for stops in [
            "http_service.auto_stop_machines = 'suspend'",
            "http_service = { auto_stop_machines = true }",
            "[[services]]\n[[services]]\nauto_stop_machines = 'stop'",
        ] {
            assert!(read(stops).autostop, "{stops}");
        }
        assert_eq!(read(""), FlyToml::default());
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_place() {
        let error = FlyToml::read("app = 'x'\n[env\nx = 1").expect_err("no TOML");
        assert!(error.starts_with("line 2: "), "{error}");
        let error = FlyToml::read("kill_timeout = 'soon'").expect_err("no time");
        assert_eq!(error, "kill_timeout is no time, as 10 or \"10s\"");
    }
}
