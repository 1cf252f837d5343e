//! The stores: one file each, every one behind the traits of `crate::peer`.

#[cfg(feature = "duckdb")]
pub(crate) mod duckdb;
pub(crate) mod fjall;
pub(crate) mod floor;
pub(crate) mod parquet;
pub(crate) mod redb;
pub(crate) mod sqlite;
pub(crate) mod trackway;
pub(crate) mod tsink;
