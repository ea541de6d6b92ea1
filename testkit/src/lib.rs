//! What tests of several crates need: a private Postgres server and waiting on states. Never part of the product.
