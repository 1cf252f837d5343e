//! Colours of the terminal, used only where somebody can see them.

use std::io::IsTerminal as _;

/// The few colours used, as codes of the SGR sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As is.
    #[default]
    Plain,
    /// Titles.
    Bold,
    /// What matters less.
    Dim,
    /// Good.
    Green,
    /// In progress.
    Yellow,
    /// Bad.
    Red,
    /// One of the colours of a chart, by number.
    Series(usize),
}

/// Colours of the series of a chart: cyan, yellow, magenta, green, red, blue; they differ on dark and on light.
const SERIES: [&str; 6] = ["36", "33", "35", "32", "31", "34"];

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::Series(n) => SERIES.get(n % SERIES.len()).copied().unwrap_or(""),
        }
    }

    /// `text` in this style, or as is when `color` is false.
    pub fn paint(self, text: &str, color: bool) -> String {
        match self.code() {
            code if color && !code.is_empty() && !text.is_empty() => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}

/// Whether standard output shows colours: a terminal, and nobody set `NO_COLOR` (no-color.org) or a dumb terminal.
pub fn stdout_has_color() -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    std::io::stdout().is_terminal() && !forbidden && !dumb
}
