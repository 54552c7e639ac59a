//! A primary that moves: who says so, who follows, and what becomes of calls meanwhile.

mod functions;
mod mixed;
mod moves;
mod simulated;
mod sources;
