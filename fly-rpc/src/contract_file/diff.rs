//! What differs between two contracts, line by line.

use std::fmt;

/// Shows how one text becomes the other: `-` stands before lines that only the first has, `+` before those of the second.
pub(super) struct Diff<'a> {
    pub(super) old: &'a [String],
    pub(super) new: &'a [String],
}

impl fmt::Display for Diff<'_> {
    /// Each line is indented, and begins on a line of its own. What is alike and far from any difference is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = steps(self.old, self.new);
        let differs = |step: &Step<'_>| !matches!(step, Step::Same(_));
        let mut was_left_out = false;
        for (at, step) in steps.iter().enumerate() {
            let from = at.saturating_sub(CONTEXT);
            let to = steps.len().min(at + CONTEXT + 1);
            let is_near = at == 0 || steps[from..to].iter().any(differs);
            match step {
                _ if !is_near && was_left_out => {}
                _ if !is_near => f.write_str("\n      …")?,
                Step::Same(line) => write!(f, "\n      {line}")?,
                Step::Gone(line) => write!(f, "\n    - {line}")?,
                Step::New(line) => write!(f, "\n    + {line}")?,
            }
            was_left_out = !is_near;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The shortest way from one to the other that keeps the longest common subsequence.
fn steps<'a>(old: &'a [String], new: &'a [String]) -> Vec<Step<'a>> {
    let alike = |(one, other): &(&String, &String)| one == other;
    let head = old.iter().zip(new).take_while(alike).count();
    let ends = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = ends.take_while(alike).count();
    let (old_middle, new_middle) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let same = |line: &'a String| Step::Same(line);
    let mut steps: Vec<Step<'a>> = old[..head].iter().map(same).collect();
    if old_middle.len().saturating_mul(new_middle.len()) > MOST_CELLS {
        steps.extend(old_middle.iter().map(|line| Step::Gone(line)));
        steps.extend(new_middle.iter().map(|line| Step::New(line)));
    } else {
        middle(old_middle, new_middle, &mut steps);
    }
    steps.extend(old[old.len() - tail..].iter().map(same));
    steps
}

fn middle<'a>(old: &'a [String], new: &'a [String], steps: &mut Vec<Step<'a>>) {
    // How many lines the rests from here on have in common.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            steps.push(Step::Same(&old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            steps.push(Step::Gone(&old[i]));
            i += 1;
        } else {
            steps.push(Step::New(&new[j]));
            j += 1;
        }
    }
}

/// Lines that are shown before and after a difference.
const CONTEXT: usize = 3;

/// Beyond this the table for comparing would take more than 16 MB, for contracts of thousands of lines with little in common.
const MOST_CELLS: usize = 1 << 22;
