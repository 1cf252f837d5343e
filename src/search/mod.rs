//! What people ask for when they look for runs, experiments and models: filters and orders, from text to a verdict. Pure;
//! knows no store.

pub(crate) mod entity;
mod field;
mod filter;
mod like;
mod logged_model;
mod order;
mod parse;
mod token;

#[cfg(test)]
mod tests;

pub use entity::Searchable;
pub use filter::Filter;
pub use logged_model::ModelOrder;
pub use order::RunOrder;

pub(crate) use entity::{EntityField, PROMPT_TAG};
pub(crate) use field::{Attribute, DatasetPart, Field, Statistic};
pub(crate) use filter::{Check, Comparison, NAME_TAG, Node, PARENT_TAG, Test, USER_TAG, artifact_uri};
pub(crate) use logged_model::{is_on, terms as logged_model_terms};
pub(crate) use order::{Key, Term, key};

/// Which words are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// What MLflow's searches take, and nothing else.
    Mlflow,
    /// More than that, and that with the same meaning.
    Wide,
}
