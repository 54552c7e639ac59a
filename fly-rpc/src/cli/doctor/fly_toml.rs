//! The few lines of `fly.toml` that concern a node: a line has a key and a plain value, or names the table of those that
//! follow. What is written in other ways is taken for not there.

use std::time::Duration;

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
    pub(super) fn read(text: &str) -> Self {
        let mut found = Self::default();
        let mut table = String::new();
        for line in text.lines() {
            let line = without_comment(line).trim();
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_matches(['[', ']', ' ']).to_owned();
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let (key, value) = (key.trim().trim_matches('"'), value.trim());
            let text = value.trim_matches(['"', '\'']);
            match (table.as_str(), key) {
                ("", "primary_region") => found.primary_region = Some(text.to_owned()),
                ("", "kill_signal") => found.kill_signal = Some(text.to_owned()),
                ("", "kill_timeout") => found.kill_timeout = duration(text),
                ("http_service" | "services", "auto_stop_machines") => {
                    found.autostop |= !matches!(text, "false" | "off");
                }
                _ => {}
            }
        }
        found
    }
}

/// A `#` in a text begins none; nothing that is looked for has one in it.
fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// `5`, which are seconds, or `"5s"`, `"2m"`, `"500ms"`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let number: u64 = digits.parse().ok()?;
    let millis = match text[digits.len()..].trim() {
        "" | "s" => number.checked_mul(1_000)?,
        "ms" => number,
        "m" => number.checked_mul(60_000)?,
        _ => return None,
    };
    Some(Duration::from_millis(millis))
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
kill_timeout = \"10s\"
[env]
  kill_timeout = \"1s\"
[http_service]
  auto_stop_machines = \"stop\"
  min_machines_running = 0
";
        let expected = FlyToml {
            primary_region: Some("iad".to_owned()),
            kill_signal: Some("SIGTERM".to_owned()),
            kill_timeout: Some(Duration::from_secs(10)),
            autostop: true,
        };
        assert_eq!(FlyToml::read(toml), expected);
        let off = "kill_timeout = 5\n[[services]]\nauto_stop_machines = false\n";
        let found = FlyToml::read(off);
        assert_eq!(
            (found.kill_timeout, found.autostop),
            (Some(Duration::from_secs(5)), false)
        );
        assert_eq!(FlyToml::read("\u{0}=\n[\n= =\n"), FlyToml::default());
    }
}
