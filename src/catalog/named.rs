//! The columns of a group that a filter or an order names: one place says what a name means there.

use super::index::{FloatColumn, Group, TextColumn};
use crate::error::Result;
use crate::format::catalog_index::{ColumnKind, attribute};
use crate::search::{NAME_TAG, PARENT_TAG, USER_TAG};

impl<'a> Group<'a> {
    /// A metric by its name: the place of its column, and its latest values.
    pub(super) fn metric_named(&self, name: &str) -> Result<Option<(usize, FloatColumn<'a>)>> {
        let place = self.index().key(name)?.and_then(|key| self.place(ColumnKind::Metric, key));
        place.map(|place| Ok((place, self.metric_at(place)?))).transpose()
    }

    fn texts_named(&self, kind: ColumnKind, name: &str) -> Result<Option<TextColumn<'a>>> {
        match self.index().key(name)? {
            Some(key) => self.texts(kind, key),
            None => Ok(None),
        }
    }

    pub(super) fn param_named(&self, name: &str) -> Result<Option<TextColumn<'a>>> {
        self.texts_named(ColumnKind::Param, name)
    }

    /// A tag, and what a run says of itself under that name, which counts where no such tag was set.
    pub(super) fn tag_named(&self, name: &str) -> Result<[Option<TextColumn<'a>>; 2]> {
        let own = match name {
            NAME_TAG => self.attribute_texts(attribute::NAME)?,
            USER_TAG => self.attribute_texts(attribute::USER)?,
            PARENT_TAG => self.attribute_texts(attribute::PARENT)?,
            _ => None,
        };
        Ok([self.texts_named(ColumnKind::Tag, name)?, own])
    }

    pub(super) fn attribute_texts(&self, number: u32) -> Result<Option<TextColumn<'a>>> {
        self.texts(ColumnKind::Attribute, number)
    }
}
