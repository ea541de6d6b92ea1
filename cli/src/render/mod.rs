//! How results look: tables for people, JSON for programs, live lines for whoever waits.
//!
//! Names of columns and JSON fields are those of the SQL views, so that what one sees in one is
//! found in the other.

pub(crate) mod configs;
pub(crate) mod drawings;
pub(crate) mod failure;
pub(crate) mod json;
pub(crate) mod live;
pub(crate) mod one_run;
pub(crate) mod plan;
pub(crate) mod records;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod slots;
pub(crate) mod sql;
pub(crate) mod sweeps;
pub(crate) mod table;
pub(crate) mod written;
