//! Rules that hold for all bytes and all messages. The bytes that must not change are in
//! `golden.rs`.

mod damage;
mod round_trips;
