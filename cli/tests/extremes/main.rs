//! No stored number, however odd, can hang, abort or bloat a command: rows are written past the
//! RPCs, as far as types and constraints admit, and then every command that reads runs within a
//! minute of processor time and 1 GB of address space.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod rows;
mod world;

/// Makes a test of each scenario on each database.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&$crate::world::World::sqlite()); })+
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(&$crate::world::World::postgres()); })+
        }
    };
}
pub(crate) use on_both;
