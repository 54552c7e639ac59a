//! The machine under the figures, as far as it says what it is.

use std::{fs, thread};

/// Processor, cores, memory and kernel, in one line.
pub(crate) fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let model = field(&cpuinfo, "model name").unwrap_or("an unknown processor");
    let memory = field(&meminfo, "MemTotal").unwrap_or("unknown");
    let kernel = kernel.trim();
    format!("{model}, {cores} cores, {memory} of memory, kernel {kernel}.\n")
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        let text = "processor\t: 0\nmodel name\t: A Fine One\n";
        assert_eq!(field(text, "model name"), Some("A Fine One"));
        assert_eq!(field(text, "flags"), None);
    }
}
