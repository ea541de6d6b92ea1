//! What tests of several crates need: a private Postgres server, waiting on states, a load client.
//! Never part of the product.

pub mod before;
#[cfg(feature = "load")]
pub mod load;
pub mod postgres;

use std::time::{Duration, Instant};

/// Asks `condition` again and again until it holds.
///
/// # Panics
/// When it does not hold within `limit`; the message says `what` was waited for.
pub async fn eventually(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_ends_when_the_condition_holds() {
        let mut left = 3;
        eventually("three questions", Duration::from_secs(10), async || {
            left -= 1;
            left == 0
        })
        .await;
        assert_eq!(left, 0);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain for: the impossible")]
    async fn waiting_in_vain_says_for_what() {
        eventually("the impossible", Duration::from_millis(20), async || false).await;
    }
}
