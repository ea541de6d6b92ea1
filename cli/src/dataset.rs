//! A dataset on its way from its source to a coordinator: loaded once here, stored as an artifact there.

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Context;
use besom_sweep::DatasetSpec;
use besom_worker::data::{self, LoadOptions, LoadProgress, Loaded};

use crate::output::say;
