//! Tables that fit the terminal.

use crate::style::Style;
use crate::text::{ellipsis, one_line};

/// Columns that may be cut are cut down to this before optional columns are left out.
const COMFORTABLE: usize = 20;

/// No column becomes narrower than this.
const NARROWEST: usize = 4;

/// Spaces between columns.
const GAP: usize = 2;

/// How a column behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// Shown whole as long as possible.
    #[default]
    Whole,
    /// Long cells are cut with an ellipsis when the terminal is narrow.
    Cut,
    /// Left out when the terminal is narrow.
    Optional,
}

/// A column's title and behaviour.
#[derive(Clone, Debug)]
struct Column {
    title: String,
    right: bool,
    fit: Fit,
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: one_line(&text.into()), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

/// Rows of cells under titles.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of text.
    pub fn left(mut self, title: impl Into<String>, fit: Fit) -> Self {
        self.columns.push(Column { title: title.into(), right: false, fit });
        self
    }

    /// Adds a column of numbers.
    pub fn right(mut self, title: impl Into<String>, fit: Fit) -> Self {
        self.columns.push(Column { title: title.into(), right: true, fit });
        self
    }

    /// Adds a row; it has as many cells as there are columns.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, in at most `width` characters a line; with `None` nothing is cut.
    pub fn render(&self, width: Option<usize>, color: bool) -> String {
        let widths = self.widths(width);
        let titles: Vec<Cell> = self.columns.iter().map(|c| Cell::styled(c.title.as_str(), Style::Bold)).collect();
        let mut text = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            text.push_str(self.line(row, &widths, color).trim_end());
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[Cell], widths: &[Option<usize>], color: bool) -> String {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            let Some(width) = *width else { continue };
            let shown = ellipsis(&cell.text, width);
            let fill = " ".repeat(width - shown.chars().count());
            let shown = cell.style.paint(&shown, color);
            if !line.is_empty() {
                line.push_str(&" ".repeat(GAP));
            }
            line.push_str(&if column.right { fill + &shown } else { shown + &fill });
        }
        line
    }

    /// The width of each column; `None` for one that is left out.
    fn widths(&self, limit: Option<usize>) -> Vec<Option<usize>> {
        let natural = self.columns.iter().enumerate().map(|(at, column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.chars().count());
            Some(cells.max().unwrap_or(0).max(column.title.chars().count()))
        });
        let mut widths: Vec<Option<usize>> = natural.collect();
        let Some(limit) = limit else { return widths };
        let cut = |at: usize| self.columns.get(at).is_some_and(|column| column.fit == Fit::Cut);
        let least: Vec<Option<usize>> =
            widths.iter().enumerate().map(|(at, w)| w.map(|w| if cut(at) { w.min(COMFORTABLE) } else { w })).collect();
        let mut least = least;
        for (at, column) in self.columns.iter().enumerate().rev() {
            if column.fit == Fit::Optional && total(&least) > limit {
                for list in [&mut least, &mut widths] {
                    list.get_mut(at).into_iter().for_each(|width| *width = None);
                }
            }
        }
        while total(&widths) > limit {
            let widest = |only_cut: bool, floor: usize| {
                let open = widths.iter().enumerate().filter(|(at, _)| !only_cut || cut(*at));
                open.filter_map(|(at, w)| w.filter(|w| *w > floor).map(|w| (w, at))).max()
            };
            let Some((width, at)) = widest(true, COMFORTABLE).or_else(|| widest(false, NARROWEST)) else { break };
            widths.get_mut(at).into_iter().for_each(|slot| *slot = Some(width - 1));
        }
        widths
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten().count();
    widths.iter().flatten().sum::<usize>() + GAP * shown.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let table = Table::new().left("ID", Fit::Whole).left("NAME", Fit::Cut);
        let mut table = table.right("POINTS", Fit::Whole).right("loss", Fit::Optional);
        table.push(vec!["01234567".into(), "a-very-long-name-of-a-run".into(), "12".into(), "0.5".into()]);
        table.push(vec!["89abcdef".into(), Cell::styled("b\n", Style::Red), "3,456".into(), "NaN".into()]);
        table
    }

    #[test]
    fn nothing_is_cut_without_a_terminal() {
        let text = "ID        NAME                       POINTS  loss\n\
                    01234567  a-very-long-name-of-a-run      12   0.5\n\
                    89abcdef  b\\n                         3,456   NaN\n";
        assert_eq!(table().render(None, false), text);
    }

    #[test]
    fn a_narrow_terminal_cuts_names_then_drops_what_is_optional() {
        for width in 20..60 {
            let text = table().render(Some(width), false);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            assert_eq!(text.contains("loss"), width >= 44, "{width}:\n{text}");
        }
        assert!(table().render(Some(46), false).contains("a-very-long-name-of..."));
    }

    #[test]
    fn colours_do_not_change_the_layout() {
        let plain = table().render(Some(40), true).replace("\u{1b}[1m", "").replace("\u{1b}[31m", "");
        assert_eq!(plain.replace("\u{1b}[0m", ""), table().render(Some(40), false));
    }
}
