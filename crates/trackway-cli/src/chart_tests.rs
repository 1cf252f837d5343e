//! Tests of the charts.

use super::*;

fn chart(width: usize, height: usize) -> Chart {
    let x_label = |x: f64| format!("{x:.0}");
    let x_title = "step".to_owned();
    Chart { width, height, log_x: false, log_y: false, color: false, ascii: true, x_title, x_label }
}

fn line(points: impl IntoIterator<Item = (f64, f64)>) -> Line {
    Line { label: "loss".to_owned(), points: points.into_iter().collect(), without_x: 0 }
}

#[test]
fn a_falling_line() {
    let text = chart(24, 4).render(&[line((0..=20).map(|i| (f64::from(i), 20.0 - f64::from(i))))]);
    let expected = "    20 +AAAA\n\
                    13.333 +   AAAAA\n\
                    6.6667 +       AAAAAA\n     \
                    0 +            AAAA\n       \
                    +----------------\n        \
                    0  10 (step)  20\n\
                    A loss: 21 points, min 0, max 20, last 0\n";
    assert_eq!(text, expected);
}

#[test]
fn one_spike_in_a_million_points_is_seen() {
    let points = (0..1_000_000).map(|i| (f64::from(i), if i == 654_321 { 1e6 } else { 0.0 }));
    let text = chart(60, 10).render(&[line(points)]);
    let top = text.lines().next().unwrap();
    assert_eq!(top.matches('A').count(), 1, "{text}");
    let place = top.find('A').unwrap() - top.find('+').unwrap() - 1;
    let columns = 60 - top.find('+').unwrap() - 1;
    assert_eq!(place, 654_321 * columns / 1_000_000, "{text}");
}

#[test]
fn no_line_leads_across_values_that_are_no_numbers() {
    let points = (0..100).map(|i| (f64::from(i), if (40..60).contains(&i) { f64::NAN } else { 1.0 }));
    let text = chart(50, 3).render(&[line(points)]);
    let middle = text.lines().find(|row| row.contains('A')).unwrap();
    let drawn = middle.split_once(['+', '|']).unwrap().1;
    assert!(drawn.starts_with("AAAA") && drawn.contains("A     ") && drawn.ends_with('A'), "{text}");
    assert!(text.contains("--!!!!") && text.contains("marked ! on the axis: 20 NaN"), "{text}");
}

#[test]
fn extreme_values_and_empty_lines_do_not_break_it() {
    let ends = [f64::MAX, f64::MIN, 0.0, -0.0, 5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for log_y in [false, true] {
        for (width, height) in [(0, 0), (1, 1), (10, 2), (200, 50)] {
            let mut chart = chart(width, height);
            chart.log_y = log_y;
            for x in [0.0, i64::MAX as f64] {
                let wild = line(ends.iter().enumerate().map(|(i, y)| (x * i as f64 - x, *y)));
                assert!(chart.render(&[wild, line([])]).contains("loss: 8 points"));
            }
            assert!(chart.render(&[line([])]).contains("nothing to draw"));
            assert!(chart.render(&[line([(1.0, 5.0)])]).contains("1 point, min 5, max 5, last 5"));
        }
    }
}

#[test]
fn a_logarithmic_x_axis_gives_each_power_of_ten_the_same_room() {
    let mut chart = chart(45, 4);
    chart.log_x = true;
    let mut line = line((0..=1000).map(|i| (f64::from(i), if i == 10 { 9.0 } else { 1.0 })));
    line.without_x = 7;
    let text = chart.render(&[line]);
    let top = text.lines().next().unwrap();
    let (start, columns) = (top.find('+').unwrap() + 1, 45 - top.find('+').unwrap() - 1);
    let place = top.find('A').unwrap() - start;
    assert!(place.abs_diff(columns / 3) <= 1, "{text}");
    assert!(text.contains("\n        1 ") && text.contains("32 (step)") && text.contains(" 1000\n"), "{text}");
    assert!(text.contains("last 1; not shown: 7 without x; not shown: 1 with x not above 0"), "{text}");
}

#[test]
fn braille_and_colours() {
    let mut chart = chart(20, 2);
    (chart.ascii, chart.color) = (false, true);
    let flat = |y: f64| line((0..50).map(|i| (f64::from(i), y)));
    let text = chart.render(&[flat(0.0), flat(1.0)]);
    assert!(text.contains("\u{1b}[33m\u{2809}") && text.contains("\u{1b}[36m\u{28c0}"), "{text}");
    chart.color = false;
    assert!(chart.render(&[flat(0.0)]).contains("\u{2809}\u{2809}"));
    assert!(chart.render(&[flat(0.0), flat(0.0)]).contains("####"));
}
