//! What the machine says of its processes: who uses its cores, and how much memory this one has.

/// Seconds of the cores that were spent on other processes than this one and these, ever.
pub fn spent_by_others(processes: &[u32]) -> f64 {
    let numbers = |text: String| -> Vec<f64> {
        let words = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let read = |path: String| numbers(std::fs::read_to_string(path).unwrap_or_default());
    // proc(5): user, nice, system and steal of all cores; utime and stime of a process. Interrupts are the flood's own.
    let all = read("/proc/stat".into());
    let busy = all[0] + all[1] + all[2] + all[7];
    let ours = [std::process::id()].into_iter().chain(processes.to_vec());
    let ours = ours.map(|process| {
        let columns = read(format!("/proc/{process}/stat"));
        columns[10..12].iter().sum::<f64>()
    });
    (busy - ours.sum::<f64>()) / TICKS
}

/// Bytes of memory that this process has.
pub fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// Of the clock of proc(5), in a second: the same on every Linux.
const TICKS: f64 = 100.0;
