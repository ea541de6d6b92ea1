//! How many files and connections this process may have open at once.
//!
//! A shell gives 1,024 descriptors and allows far more. The low limit exists for programs that wait
//! with `select`, which none of besom's code does; a coordinator needs a descriptor for every
//! worker, client and open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to the highest that the system allows this process. A refusal is no reason not
/// to start: the lower limit still serves, and a coordinator that meets it says so.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, ?limit, "the limit of open files could not be raised");
    }
}

/// The limit in words.
pub(crate) fn limit() -> String {
    getrlimit(Resource::Nofile).current.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        raise_descriptor_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(super::limit().parse().ok(), limit.maximum);
    }
}
