//! Line charts of characters.
//!
//! A braille character is a grid of 2 x 4 dots. Every column of dots shows its points from smallest to largest value
//! and is joined to the column before it from that one's last to its own first point, so that no spike is hidden
//! however many points fall into a column. Lines are not drawn across values that are not numbers; the axis below marks
//! them.

use crate::style::Style;
use crate::values::short;

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// What the legend calls it.
    pub label: String,
    /// Points with rising x.
    pub points: Vec<(f64, f64)>,
    /// Points that are not among them, since what lies along the chart has no value for them.
    pub without_x: usize,
}

/// How a chart is drawn.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Characters in a row, labels included.
    pub width: usize,
    /// Rows, axis and legend not included.
    pub height: usize,
    /// Whether the x axis is logarithmic.
    pub log_x: bool,
    /// Whether the y axis is logarithmic.
    pub log_y: bool,
    /// Whether lines differ by colour; otherwise several lines are drawn with a letter each.
    pub color: bool,
    /// Letters in place of braille in any case.
    pub ascii: bool,
    /// Title of the x axis.
    pub x_title: String,
    /// How a place on the x axis is written.
    pub x_label: fn(f64) -> String,
}

/// The points of one column of dots, as heights from 0 (bottom) to 1 (top).
#[derive(Clone, Copy, Debug)]
struct Column {
    first: f64,
    last: f64,
    low: f64,
    high: f64,
    /// Whether a value that is no number stands before the first, so that no line leads here.
    cut_before: bool,
}

/// One character of the chart.
#[derive(Clone, Copy, Debug, Default)]
struct Glyph {
    dots: u8,
    line: Option<usize>,
    shared: bool,
}

/// The part of a plane that is drawn.
#[derive(Clone, Copy, Debug)]
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Chart {
    /// The chart as text, with axes and legend.
    pub fn render(&self, lines: &[Line]) -> String {
        let Some(frame) = self.frame(lines) else {
            return self.legend(lines) + "nothing to draw: no value is a number\n";
        };
        let height = self.height.max(2);
        let labels: Vec<String> = (0..height).map(|row| self.y_label(frame, row, height)).collect();
        let margin = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let columns = self.width.saturating_sub(margin + 2).max(8);
        let mut canvas =
            Canvas { columns, glyphs: vec![Glyph::default(); columns * height], bad: vec![false; columns] };
        for (number, line) in lines.iter().enumerate() {
            self.draw(&mut canvas, number, line, frame);
        }
        let mut text = String::new();
        let many = lines.len() > 1;
        for (label, row) in labels.iter().zip(canvas.glyphs.chunks(columns)) {
            let mark = if label.is_empty() { '|' } else { '+' };
            // One colour sequence for neighbours of the same line.
            let drawn = row.chunk_by(|a, b| a.line == b.line).map(|same| self.characters(same, many));
            text.push_str(&format!("{label:>margin$} {mark}{}\n", drawn.collect::<String>().trim_end()));
        }
        let axis: String = canvas.bad.iter().map(|bad| if *bad { '!' } else { '-' }).collect();
        text.push_str(&format!("{:margin$} +{axis}\n", ""));
        text.push_str(&self.x_labels(frame, margin + 2, columns));
        text.push_str(&self.legend(lines));
        text
    }

    /// The height of a value before scaling; `None` when it cannot be drawn.
    fn height_of(&self, y: f64) -> Option<f64> {
        scaled(y, self.log_y)
    }

    /// The x before scaling of a point that has a place on the axis, and its value.
    fn on_axis(&self, (x, y): &(f64, f64)) -> Option<(f64, f64)> {
        scaled(*x, self.log_x).map(|x| (x, *y))
    }

    fn frame(&self, lines: &[Line]) -> Option<Frame> {
        let (mut x, mut y) = ((f64::INFINITY, f64::NEG_INFINITY), (f64::INFINITY, f64::NEG_INFINITY));
        for (px, py) in lines.iter().flat_map(|line| &line.points).filter_map(|point| self.on_axis(point)) {
            x = (x.0.min(px), x.1.max(px));
            if let Some(py) = self.height_of(py) {
                y = (y.0.min(py), y.1.max(py));
            }
        }
        if y.0 > y.1 {
            return None;
        }
        if y.0 == y.1 {
            // A flat line is drawn in the middle.
            let room = if y.0 == 0.0 { 1.0 } else { y.0.abs() * 0.05 };
            y = (y.0 - room, y.1 + room);
        }
        Some(Frame { x, y })
    }

    fn draw(&self, canvas: &mut Canvas, number: usize, line: &Line, frame: Frame) {
        let wide = canvas.columns * 2;
        let mut columns: Vec<Option<Column>> = vec![None; wide];
        let mut cut = true;
        for (x, y) in line.points.iter().filter_map(|point| self.on_axis(point)) {
            let at = (share(x, frame.x) * wide as f64) as usize;
            let at = at.min(wide - 1);
            let Some(y) = self.height_of(y) else {
                canvas.bad.get_mut(at / 2).into_iter().for_each(|bad| *bad = true);
                cut = true;
                continue;
            };
            let y = share(y, frame.y);
            let Some(slot) = columns.get_mut(at) else { continue };
            let column = slot.get_or_insert(Column { first: y, last: y, low: y, high: y, cut_before: cut });
            (column.last, column.low, column.high) = (y, column.low.min(y), column.high.max(y));
            cut = false;
        }
        let mut before: Option<(usize, f64)> = None;
        for (at, column) in columns.iter().enumerate() {
            let Some(column) = column else { continue };
            if let Some((from, last)) = before.filter(|_| !column.cut_before) {
                canvas.join(number, (from, last), (at, column.first));
            }
            canvas.bar(number, at, column.low, column.high);
            before = Some((at, column.last));
        }
    }

    /// Glyphs of one line, or of none.
    fn characters(&self, glyphs: &[Glyph], many: bool) -> String {
        let Some(line) = glyphs.first().and_then(|glyph| glyph.line) else { return " ".repeat(glyphs.len()) };
        if self.ascii || many && !self.color {
            return glyphs.iter().map(|glyph| if glyph.shared { '#' } else { letter(line) }).collect();
        }
        let braille = |glyph: &Glyph| char::from_u32(0x2800 + u32::from(glyph.dots)).unwrap_or(' ');
        Style::Series(line).paint(&glyphs.iter().map(braille).collect::<String>(), self.color)
    }

    fn y_label(&self, frame: Frame, row: usize, height: usize) -> String {
        let every = (height / 4).max(1);
        let is_end = row + 1 == height;
        if !is_end && (!row.is_multiple_of(every) || height - row <= every / 2 + 1) {
            return String::new();
        }
        let down = row as f64 / (height - 1) as f64;
        let y = frame.y.1 * (1.0 - down) + frame.y.0 * down;
        short(if self.log_y { 10_f64.powf(y) } else { y })
    }

    fn x_labels(&self, frame: Frame, margin: usize, columns: usize) -> String {
        let label = |x: f64| (self.x_label)(if self.log_x { 10_f64.powf(x) } else { x });
        let (first, last) = (label(frame.x.0), label(frame.x.1));
        let middle = format!("{} ({})", label(frame.x.0 / 2.0 + frame.x.1 / 2.0), self.x_title);
        let room = columns.saturating_sub(first.len() + last.len());
        if room < middle.len() + 4 {
            return format!("{:margin$}{first} .. {last} ({})\n", "", self.x_title);
        }
        format!("{:margin$}{first}{middle:^room$}{last}\n", "")
    }

    fn legend(&self, lines: &[Line]) -> String {
        let mut text = String::new();
        let many = lines.len() > 1;
        for (number, line) in lines.iter().enumerate() {
            let mark = match () {
                () if self.ascii || many && !self.color => letter(number).to_string(),
                () => Style::Series(number).paint(if self.color { "\u{2501}\u{2501}" } else { "" }, self.color),
            };
            let mark = if mark.is_empty() { mark } else { mark + " " };
            text.push_str(&format!("{mark}{}: {}\n", line.label, self.summary(line)));
        }
        text
    }

    /// Count, extremes and last value of a line, and what could not be drawn.
    fn summary(&self, line: &Line) -> String {
        let values = || line.points.iter().map(|(_, y)| *y);
        let mut text = crate::text::plural(line.points.len() as u64, "point");
        if let Some(last) = values().next_back() {
            let real = || values().filter(|y| y.is_finite());
            if real().next().is_some() {
                let (low, high) = (real().fold(f64::INFINITY, f64::min), real().fold(f64::NEG_INFINITY, f64::max));
                text.push_str(&format!(", min {}, max {}", short(low), short(high)));
            }
            text.push_str(&format!(", last {}", short(last)));
        }
        let counts = [
            (values().filter(|y| y.is_nan()).count(), "NaN"),
            (values().filter(|y| y.is_infinite()).count(), "infinite"),
            (values().filter(|y| self.log_y && y.is_finite() && *y <= 0.0).count(), "not above 0"),
        ];
        let bad: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", crate::text::count(*count as u64)))
            .collect();
        if !bad.is_empty() {
            text.push_str(&format!("; not drawn, marked ! on the axis: {}", bad.join(", ")));
        }
        let left_of_it = line.points.iter().filter(|point| self.log_x && self.on_axis(point).is_none()).count();
        let counts = [(line.without_x, "without x"), (left_of_it, "with x not above 0")];
        for (n, what) in counts.iter().filter(|(n, _)| *n > 0) {
            text.push_str(&format!("; not shown: {} {what}", crate::text::count(*n as u64)));
        }
        text
    }
}

/// A number as it is drawn; `None` when it cannot be.
fn scaled(number: f64, log: bool) -> Option<f64> {
    let number = if log { number.log10() } else { number };
    number.is_finite().then_some(number)
}

/// Where `value` lies in the range, from 0 to 1. Halves first: the width of a range may exceed the largest number.
fn share(value: f64, range: (f64, f64)) -> f64 {
    let width = range.1 / 2.0 - range.0 / 2.0;
    if width > 0.0 { ((value / 2.0 - range.0 / 2.0) / width).clamp(0.0, 1.0) } else { 0.5 }
}

/// A, B, C ... for the lines of a chart without colours.
fn letter(line: usize) -> char {
    char::from(b'A' + (line % 26) as u8)
}

struct Canvas {
    columns: usize,
    glyphs: Vec<Glyph>,
    /// For each column of characters, whether a value there could not be drawn.
    bad: Vec<bool>,
}

impl Canvas {
    /// Rows of dots.
    fn tall(&self) -> usize {
        self.glyphs.len() / self.columns * 4
    }

    /// The row of dots at a height from 0 to 1; row 0 is the top.
    fn row(&self, height: f64) -> usize {
        ((1.0 - height) * (self.tall() - 1) as f64).round() as usize
    }

    fn dot(&mut self, line: usize, column: usize, row: usize) {
        // Dots of a braille character count down its left column, then its right one; the lowest two came later.
        const LEFT: [u8; 4] = [0x01, 0x02, 0x04, 0x40];
        const RIGHT: [u8; 4] = [0x08, 0x10, 0x20, 0x80];
        let bits = if column.is_multiple_of(2) { LEFT } else { RIGHT };
        let Some(glyph) = self.glyphs.get_mut(row / 4 * self.columns + column / 2) else { return };
        glyph.dots |= bits.get(row % 4).copied().unwrap_or(0);
        glyph.shared |= glyph.line.is_some_and(|other| other != line);
        glyph.line = Some(line);
    }

    fn bar(&mut self, line: usize, column: usize, low: f64, high: f64) {
        for row in self.row(high)..=self.row(low) {
            self.dot(line, column, row);
        }
    }

    /// Draws from one place to another on its right.
    fn join(&mut self, line: usize, from: (usize, f64), to: (usize, f64)) {
        let (wide, start, end) = ((to.0 - from.0) as f64, self.row(from.1) as f64, self.row(to.1) as f64);
        let at = |column: f64| start + (end - start) * (column / wide).clamp(0.0, 1.0);
        for column in from.0..=to.0 {
            let offset = (column - from.0) as f64;
            let (a, b) = (at(offset - 0.5), at(offset + 0.5));
            for row in a.min(b).round() as usize..=a.max(b).round() as usize {
                self.dot(line, column, row);
            }
        }
    }
}

#[cfg(test)]
#[path = "chart_tests.rs"]
mod tests;
