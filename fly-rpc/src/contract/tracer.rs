//! The walk: it reads a type again and again from made-up values until every alternative of it was seen.
//!
//! Each pass builds one value. On its way it prefers an arm (a variant, a full or an empty container) that no pass has
//! walked yet, then the way to the nearest such arm, and otherwise what ends soonest. So the number of passes is that of the
//! arms behind one another, not the product of those beside one another, and a type inside itself always comes to an end.
//!
//! A pass that a type refuses is repeated with other samples. The innermost position through which a refusal came bears the
//! blame; when all its attempts are used up, that position alone is opaque.

use std::{
    any::type_name,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde::{Deserialize, Serialize, de};

use super::{
    ContractError,
    arguments::{Arguments, Watch},
    mirror,
    place::{self, Identified},
    samples::{ATTEMPTS, SPREAD},
    shape::{Id, Spot, Table},
};

mod deserializer;
mod visit;

/// Passes over a function's arguments and its return value.
pub(super) type Read = fn(&mut Tracer) -> Result<(), End>;

/// [`Read`] for one function.
pub(super) fn read<A, R>(tracer: &mut Tracer) -> Result<(), End>
where
    A: Arguments<'static>,
    R: Deserialize<'static> + Serialize,
{
    A::each(tracer)?;
    tracer.explore::<R>(Table::OUTPUT, 0)
}

/// The definitions behind one function.
pub(super) fn walk(read: Read, function: Identified<'_>) -> Result<Table, ContractError> {
    let mut split = Vec::new();
    loop {
        let mut tracer = Tracer::new(split);
        match read(&mut tracer) {
            Ok(()) => return Ok(tracer.table),
            Err(End::Split) => split = tracer.split,
            Err(End::Fault(fault, path)) => {
                return Err(place::error(&tracer.table, function, fault, &path));
            }
        }
    }
}

/// Why a walk cannot go on.
#[derive(Debug)]
pub(super) enum End {
    /// An identity stands for two types; it is told apart by place from now on, and the walk starts again.
    Split,
    /// The type must not travel; the way to it is with it.
    Fault(Fault, Vec<Spot>),
}

/// What is wrong with a type, whose Rust name it carries.
#[derive(Debug)]
pub(super) enum Fault {
    NeedsSelfDescribing(&'static str),
    ShapeDiffers(&'static str, String),
    Changing(&'static str),
    TooDeep(&'static str),
    TooLarge(&'static str),
}

/// The error of the tracing deserializer; what it means is kept in the [`Tracer`].
#[derive(Debug)]
pub(super) struct Refusal;

/// Why the current pass will give no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// A type said no; the position to blame was found.
    Refused,
    /// It went where no value can be built, to see what else is there.
    Expected,
    /// It went too deep.
    Deep,
}

/// A definition that is being read.
#[derive(Debug)]
struct Frame {
    definition: Id,
    arm: usize,
    journal: usize,
    height: u32,
    /// It stands where no pass has been before.
    fresh: bool,
}

/// A position that is being read.
#[derive(Clone, Copy, Debug)]
struct Position {
    spot: Spot,
    /// Where its part of the journal begins.
    journal: usize,
    /// The Rust name of what is to be read.
    rust_name: &'static str,
}

/// A position that was entered, and what is restored behind it.
#[derive(Debug)]
struct Entered {
    position: Position,
    attempt: usize,
    depth: usize,
    outer: Draw,
}

/// Which samples the leaves below a position get.
#[derive(Clone, Copy, Debug, Default)]
struct Draw {
    attempt: usize,
    drawn: usize,
}

/// The state of a walk; `tracer/deserializer.rs` lets serde drive it, `tracer/visit.rs` decides.
#[derive(Debug)]
pub(super) struct Tracer {
    table: Table,
    /// Names that stand for more than one type: what has one in its own name is told apart by place.
    split: Vec<&'static str>,
    stack: Vec<Frame>,
    /// The positions that are being read, outermost first.
    open: Vec<Position>,
    /// The arms that this pass walked first.
    journal: Vec<(Id, usize)>,
    /// What the journal holds from here on needs no value: there can be none.
    keep_from: usize,
    draw: Draw,
    /// What was met last stands where no pass has been before.
    fresh: bool,
    /// A sequence of several elements was lent out, whose order may not be stable.
    repeated: bool,
    failure: Option<Failure>,
    end: Option<End>,
    pass: u32,
    steps: usize,
    deep_passes: u32,
}

impl Tracer {
    fn new(split: Vec<&'static str>) -> Self {
        Self {
            table: Table::new(),
            split,
            stack: Vec::new(),
            open: Vec::new(),
            journal: Vec::new(),
            keep_from: usize::MAX,
            draw: Draw::default(),
            fresh: false,
            repeated: false,
            failure: None,
            end: None,
            pass: 0,
            steps: 0,
            deep_passes: 0,
        }
    }

    /// Passes over `T`, which stands here in the root, until nothing new is left.
    fn explore<T>(&mut self, arm: usize, slot: usize) -> Result<(), End>
    where
        T: Deserialize<'static> + Serialize,
    {
        let root = Spot {
            definition: Table::ROOT,
            arm,
            slot,
        };
        loop {
            self.begin(arm);
            let read = AssertUnwindSafe(|| {
                self.edge(slot, type_name::<T>(), |tracer| T::deserialize(tracer))
            });
            let value = catch_unwind(read).unwrap_or_else(|_panic| {
                self.blame_panic();
                Err(Refusal)
            });
            if self.is_whole(value.is_ok())?
                && let Ok(value) = value
            {
                mirror::verify(&mut self.table, root, &value, self.repeated)?;
            }
            if !self.goes_on(root) {
                return Ok(());
            }
        }
    }

    /// True if the pass built a value; otherwise what it seemed to have explored is taken back.
    fn is_whole(&mut self, has_value: bool) -> Result<bool, End> {
        if let Some(end) = self.end.take() {
            return Err(end);
        }
        let is_whole = has_value && self.failure.is_none();
        if !is_whole {
            self.undo()?;
        }
        Ok(is_whole)
    }

    /// True if there is more to see behind `root`.
    fn goes_on(&mut self, root: Spot) -> bool {
        self.table.survey();
        let edge = self.table.edge(root);
        let more = edge
            .target
            .is_some_and(|id| self.table.definition(id).distance.is_some());
        let again = matches!(self.failure, Some(Failure::Refused | Failure::Deep));
        edge.opaque.is_none() && (more || again)
    }

    fn begin(&mut self, arm: usize) {
        self.stack.clear();
        self.open.clear();
        self.journal.clear();
        self.stack.push(Frame {
            definition: Table::ROOT,
            arm,
            journal: 0,
            height: 0,
            fresh: false,
        });
        self.keep_from = usize::MAX;
        self.draw = Draw::default();
        self.repeated = false;
        self.failure = None;
        self.pass += 1;
    }

    /// Takes back what a pass without a value seemed to have explored.
    fn undo(&mut self) -> Result<(), End> {
        let keep = self.keep_from.min(self.journal.len());
        for &(id, arm) in &self.journal[..keep] {
            self.table.arm_mut(id, arm).explored = false;
        }
        if self.failure == Some(Failure::Deep) {
            self.deep_passes += 1;
            if self.deep_passes > DEEP_PASSES {
                let path = self.path();
                let name = self.stack.last().map_or("", |frame| {
                    self.table.definition(frame.definition).rust_name
                });
                return Err(End::Fault(Fault::TooDeep(name), path));
            }
        }
        Ok(())
    }

    fn path(&self) -> Vec<Spot> {
        self.open.iter().map(|position| position.spot).collect()
    }

    /// Ends the walk; the first reason counts, whatever a type makes of the error.
    fn stop(&mut self, fault: Fault) -> Refusal {
        let path = self.path();
        self.end.get_or_insert(End::Fault(fault, path));
        Refusal
    }

    fn fail(&mut self, failure: Failure) -> Refusal {
        self.failure.get_or_insert(failure);
        Refusal
    }

    /// Reads what stands in `slot` of the definition that is being read.
    fn edge<T>(
        &mut self,
        slot: usize,
        rust_name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let entered = self.enter(slot, rust_name)?;
        let result = read(self);
        self.leave(entered, result.is_ok());
        result
    }

    fn enter(&mut self, slot: usize, rust_name: &'static str) -> Result<Entered, Refusal> {
        let Some(&Frame {
            definition, arm, ..
        }) = self.stack.last()
        else {
            return Err(Refusal);
        };
        let spot = Spot {
            definition,
            arm,
            slot,
        };
        let attempt = self.table.edge_mut(spot).attempt;
        if !self.is_worth_reading(spot) {
            return Err(self.fail(Failure::Expected));
        }
        let position = Position {
            spot,
            journal: self.journal.len(),
            rust_name,
        };
        let entered = Entered {
            position,
            attempt,
            depth: self.stack.len(),
            outer: self.draw,
        };
        if attempt > 0 {
            self.draw = Draw { attempt, drawn: 0 };
        }
        self.open.push(position);
        Ok(entered)
    }

    fn leave(&mut self, entered: Entered, has_value: bool) {
        let Entered {
            position,
            attempt,
            depth,
            outer,
        } = entered;
        if self.failure.is_none() {
            if has_value {
                self.table.edge_mut(position.spot).accepted = attempt;
            } else if self.end.is_none() {
                self.blame(position, 1);
            }
        }
        // Where a pass went too deep is shown to the user, so the way there stays.
        if self.failure != Some(Failure::Deep) {
            self.stack.truncate(depth);
            self.open.pop();
        }
        if attempt > 0 {
            self.draw = outer;
        }
    }

    /// A dead position is entered only for what is still to be seen there.
    fn is_worth_reading(&self, spot: Spot) -> bool {
        let edge = self.table.edge(spot);
        if edge.opaque.is_some() {
            return false;
        }
        edge.target.is_none_or(|id| {
            let definition = self.table.definition(id);
            !definition.barren || definition.distance.is_some()
        })
    }

    /// A value was refused here: other samples next time, and none when all were tried.
    fn blame(&mut self, position: Position, attempts: usize) {
        let Position {
            spot,
            journal,
            rust_name,
        } = position;
        self.failure = Some(Failure::Refused);
        for &(id, arm) in &self.journal {
            self.table.arm_mut(id, arm).explored = false;
        }
        let below = self.journal.split_off(journal.min(self.journal.len()));
        self.journal.clear();
        let edge = self.table.edge_mut(spot);
        edge.attempt += attempts;
        if edge.attempt < ATTEMPTS {
            return;
        }
        if below.is_empty() {
            let asked = edge.target;
            let name = place::opaque_name(
                rust_name,
                asked.map(|id| self.table.definition(id).rust_name),
            );
            self.table.edge_mut(spot).opaque = Some(name);
        } else {
            // It may be the arm that is refused and not the samples: this arm has been seen, the others have their chance.
            edge.attempt = edge.accepted;
            for (id, arm) in below {
                self.table.arm_mut(id, arm).explored = true;
            }
        }
    }

    /// A panic prints a message each time, so there are no further attempts.
    fn blame_panic(&mut self) {
        if let Some(&position) = self.open.last() {
            self.blame(position, ATTEMPTS);
        }
    }

    /// Which of `len` samples this leaf gets.
    fn draw(&mut self, len: usize) -> usize {
        let Draw { attempt, drawn } = self.draw;
        self.draw.drawn += 1;
        if attempt < SPREAD {
            attempt % len
        } else {
            (attempt + drawn) % len
        }
    }
}

/// Each argument is walked by itself: what one refuses hides nothing of the others.
impl Watch<'static> for Tracer {
    type End = End;

    fn argument<T>(&mut self, index: usize) -> Result<(), End>
    where
        T: Deserialize<'static> + Serialize,
    {
        self.explore::<T>(Table::ARGUMENTS, index)
    }
}

impl de::Error for Refusal {
    fn custom<T: std::fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl std::error::Error for Refusal {}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a made-up value was refused")
    }
}

/// Levels of nesting; deeper than any type people write, shallow enough for the smallest thread's stack.
pub(super) const MAX_DEPTH: usize = 128;

/// Values asked for in one walk; an ordinary function takes a few hundred, and a million some tens of milliseconds.
pub(super) const MAX_STEPS: usize = 1 << 20;

/// Passes that may go too deep. Each tries other arms inside the recursion, so that an enum with hundreds of recursive
/// variants before the one that ends still ends.
const DEEP_PASSES: u32 = 16;
