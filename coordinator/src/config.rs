//! How a coordinator behaves, checked before anything starts.

use std::{sync::Arc, time::Duration};

use besom_proto::transfer::MINUTE;

use crate::{
    domain::{DEFAULT_LEASE_TTL, RetryPolicy},
    store::query::Queries,
};

/// What may be chosen about a coordinator.
#[derive(Debug, Clone)]
pub struct CoordinatorConfig {
    /// Length of a lease. Default 30 s.
    pub lease_ttl: Duration,
    /// How often workers report at the latest; at most a third of the lease. Default 8 s.
    pub report_interval: Duration,
    /// How often expired leases are looked for. Default 5 s.
    pub reaper_interval: Duration,
    /// How often a job is tried.
    pub retry: RetryPolicy,
    /// The time over which the least rate of an upload is taken. Default a minute.
    pub transfer_window: Duration,
    /// Whether gRPC reflection is served.
    pub reflection: bool,
    /// How the store is read in SQL. Default: not at all.
    pub queries: Option<Arc<Queries>>,
}

/// A configuration that would lose leases or turn without rest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One late report would cost the lease.
    #[error("report interval {report:?}: at most a third of the lease of {ttl:?}")]
    ReportInterval {
        /// As given.
        report: Duration,
        /// As given.
        ttl: Duration,
    },
    /// A duration out of its range.
    #[error("{name} {given:?}: must be between {least:?} and {most:?}")]
    Range {
        /// Which.
        name: &'static str,
        /// As given.
        given: Duration,
        /// The shortest allowed.
        least: Duration,
        /// The longest allowed.
        most: Duration,
    },
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            lease_ttl: DEFAULT_LEASE_TTL,
            report_interval: Duration::from_secs(8),
            reaper_interval: Duration::from_secs(5),
            retry: RetryPolicy::default(),
            transfer_window: MINUTE,
            reflection: false,
            queries: None,
        }
    }
}

impl CoordinatorConfig {
    /// Checks the durations and how they go together.
    ///
    /// # Errors
    /// The first one that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        // Tests live at the short end; at the long end a lost job would wait an hour for its next
        // attempt.
        let (least, most) = (Duration::from_millis(10), Duration::from_secs(3600));
        for (name, given) in [
            ("lease TTL", self.lease_ttl),
            ("report interval", self.report_interval),
            ("reaper interval", self.reaper_interval),
            ("transfer window", self.transfer_window),
        ] {
            if given < least || given > most {
                return Err(ConfigError::Range { name, given, least, most });
            }
        }
        if self.report_interval * 3 > self.lease_ttl {
            return Err(ConfigError::ReportInterval { report: self.report_interval, ttl: self.lease_ttl });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_interval_above_a_third_of_the_lease_is_refused() {
        assert_eq!(CoordinatorConfig::default().check(), Ok(()));
        let short = CoordinatorConfig { lease_ttl: Duration::from_secs(20), ..CoordinatorConfig::default() };
        let error = short.check().unwrap_err().to_string();
        assert_eq!(error, "report interval 8s: at most a third of the lease of 20s");
    }

    #[test]
    fn a_loop_without_rest_is_refused() {
        let busy = CoordinatorConfig { reaper_interval: Duration::ZERO, ..CoordinatorConfig::default() };
        assert!(busy.check().unwrap_err().to_string().starts_with("reaper interval 0ns"));
    }
}
