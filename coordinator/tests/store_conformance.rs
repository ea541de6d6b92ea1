//! Every behaviour of the store, on SQLite and on Postgres.

mod store_behaviours;
mod store_support;

macro_rules! conformance {
    ($($group:ident { $($name:ident),+ $(,)? })+) => {
        mod sqlite {
            $(mod $group { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::store_behaviours::$group::$name(crate::store_support::sqlite().await).await;
                }
            )+ })+
        }
        mod postgres {
            $(mod $group { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::store_behaviours::$group::$name(crate::store_support::postgres().await).await;
                }
            )+ })+
        }
    };
}

conformance! {
    acquire {
        jobs_come_in_their_order_of_work_one_for_each_slot,
    }
}
