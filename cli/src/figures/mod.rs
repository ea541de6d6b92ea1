//! Figures of a sweep and of its models: their rows are fetched here and their files written,
//! `besom-figures` draws them.

mod fetch;
mod files;

pub(crate) use self::{
    fetch::{Drawn, Figures},
    files::Format,
};
