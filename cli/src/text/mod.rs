//! The words that commands, tables, figures and clients share. It stands below all of them: nothing
//! here knows who shows a word, or where.

pub(crate) mod columns;
mod cut;
mod metric;
mod ranks;
pub(crate) mod source;
pub(crate) mod state;
mod wrap;

pub(crate) use besom_sweep::number;

pub(crate) use self::{
    cut::{LONGEST, cut, cut_at},
    metric::is_val_accuracy,
    ranks::Ranks,
    wrap::{pieces, wrapped},
};
