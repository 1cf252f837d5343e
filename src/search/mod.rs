//! What people ask for when they look for runs: filters and orders, from text to a verdict. Pure; knows no store.

mod field;
mod filter;
mod like;
mod order;
mod parse;
mod token;

#[cfg(test)]
mod tests;

pub use filter::Filter;
pub use order::RunOrder;

pub(crate) use field::{Attribute, DatasetPart, Field, Statistic};
pub(crate) use filter::{Check, Comparison, NAME_TAG, Node, PARENT_TAG, Test, USER_TAG, artifact_uri};
pub(crate) use order::{Key, Term, key};

/// Which words are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    /// What MLflow's `search_runs` takes, and nothing else.
    Mlflow,
    /// More than that, and that with the same meaning.
    Wide,
}
