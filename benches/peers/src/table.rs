//! Markdown tables whose columns line up, and figures as people read them.

/// A table with a title over it.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    notes: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: &str, head: &[&str]) -> Self {
        Self { title: title.to_owned(), notes: Vec::new(), rows: vec![head.iter().map(|&h| h.to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// A sentence below the title.
    pub(crate) fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// To standard output.
    pub(crate) fn print(&self) {
        println!("## {}\n", self.title);
        if !self.notes.is_empty() {
            println!("{}\n", self.notes.join(" "));
        }
        let columns = self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (at, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                let left = column < 2;
                if left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
            if at == 0 {
                let line = widths.iter().enumerate().map(|(column, width)| {
                    if column < 2 { "-".repeat(*width) } else { format!("{}:", "-".repeat(width.max(&2) - 1)) }
                });
                println!("| {} |", line.collect::<Vec<_>>().join(" | "));
            }
        }
        println!();
    }
}

/// A cell without a figure.
pub(crate) fn none() -> String {
    "-".to_owned()
}

/// Three digits that count: `19.8 M`, `694 k`, `8,105`.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 1e6 => format!("{} M", digits(r / 1e6)),
        r if r >= 1e4 => format!("{} k", digits(r / 1e3)),
        r => grouped(r),
    }
}

/// A time in the unit that suits it.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{} s", digits(s)),
        s if s >= 1e-3 => format!("{} ms", digits(s * 1e3)),
        s if s >= 1e-6 => format!("{} us", digits(s * 1e6)),
        s => format!("{} ns", digits(s * 1e9)),
    }
}

/// How many times one figure is another.
pub(crate) fn times(ratio: f64) -> String {
    digits(ratio)
}

/// Three digits that count.
fn digits(number: f64) -> String {
    match number {
        n if n >= 999.5 => grouped(n),
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n if n >= 0.9995 => format!("{n:.2}"),
        n if n > 0.0 => format!("{n:.*}", (2.0 - n.log10().floor()) as usize),
        n => format!("{n}"),
    }
}

/// A whole number with commas.
pub(crate) fn grouped(number: f64) -> String {
    let plain = format!("{number:.0}");
    let mut grouped = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
