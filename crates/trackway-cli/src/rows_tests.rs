//! Tests of the long form.

use super::*;

/// Gives its bytes in pieces of at most `piece`, so that records are cut anywhere.
struct Pieces<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.piece.min(self.rest.len()).min(buffer.len());
        let (now, later) = self.rest.split_at(n);
        buffer[..n].copy_from_slice(now);
        self.rest = later;
        Ok(n)
    }
}

type Read4 = (String, String, i64, i64, u64);

fn read_all(text: &str, piece: usize) -> Result<Vec<Read4>, String> {
    let told = |failure| match failure {
        Failure::Told { message, .. } => message,
        Failure::Silent(_) => String::new(),
    };
    let mut reader = RowReader::new(Pieces { rest: text.as_bytes(), piece }, "in.csv").map_err(told)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().map_err(told)? {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        rows.push((text(&row.run), text(&row.key), row.step, row.timestamp, row.value.to_bits()));
    }
    Ok(rows)
}

#[test]
fn rows_written_are_rows_read_wherever_the_input_is_cut() {
    let mut text = RowFormat::Csv.header().into_bytes();
    let names = ["plain", "a,b", "say \"hi\"", " space ", "two\nlines", "tab\t", "", "gr\u{fc}n"];
    let mut expected = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let (step, value) = (i as i64 - 3, f64::from_bits(0x7ff8_0000_0000_0000 + i as u64));
        let prefix = RowFormat::Csv.prefix(name, "k/\"x\"");
        RowFormat::Csv.push(&mut text, &prefix, step, 1_700_000_000_000, value);
        expected.push(((*name).to_owned(), "k/\"x\"".to_owned(), step, 1_700_000_000_000, value.to_bits()));
    }
    let text = String::from_utf8(text).unwrap();
    for piece in [1, 2, 3, 7, 1 << 20] {
        assert_eq!(read_all(&text, piece).as_ref(), Ok(&expected), "pieces of {piece}");
    }
}

#[test]
fn columns_come_in_any_order_and_lines_end_as_they_like() {
    let text = "\u{feff}value,extra,step,key,run,timestamp_ms\r\n1.5,x,2,loss,r,3\r\n\r\n-inf,,-4,loss,r,5";
    let row = |step, time, value: f64| ("r".to_owned(), "loss".to_owned(), step, time, value.to_bits());
    assert_eq!(read_all(text, 5), Ok(vec![row(2, 3, 1.5), row(-4, 5, f64::NEG_INFINITY)]));
}

#[test]
fn a_bad_row_names_file_and_line() {
    let header = "run,key,step,timestamp_ms,value\n";
    let cases = [
        ("", "in.csv is empty"),
        ("a,b\n", "in.csv, line 1: no column \"run\""),
        (&format!("{header}r,k,1,2,3\nr,k,x,2,3\n"), "in.csv, line 3: step \"x\" is not a whole number"),
        (&format!("{header}\"two\nlines\",k,1,2,3\nr,k,1,2,z\n"), "in.csv, line 4: value \"z\" is not a number"),
        (&format!("{header}r,k,1\n"), "in.csv, line 2: no field for column \"value\", the row has 3 fields"),
        (&format!("{header}\"r\"x,k,1,2,3\n"), "in.csv, line 2: wrong quotes in column \"run\""),
        (&format!("{header}r,k,1,9223372036854775808,3\n"), "in.csv, line 2: timestamp_ms"),
    ];
    for (text, expected) in cases {
        let told = read_all(text, 1 << 20).unwrap_err();
        assert!(told.starts_with(expected), "{told:?} should start with {expected:?}");
    }
}

#[test]
fn json_rows_are_json() {
    let mut text = Vec::new();
    for value in [0.1, f64::NAN, f64::NEG_INFINITY, f64::from_bits(0xfff8_0000_0000_0001)] {
        RowFormat::Jsonl.push(&mut text, &RowFormat::Jsonl.prefix("r\"", "k\n"), -1, 2, value);
    }
    let parsed: Vec<serde_json::Value> =
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let values: Vec<String> = parsed.iter().map(|row| row["value"].to_string()).collect();
    assert_eq!(values, ["0.1", "\"NaN\"", "\"-Infinity\"", "\"nan:fff8000000000001\""]);
    assert_eq!((parsed[0]["run"].as_str(), parsed[0]["key"].as_str()), (Some("r\""), Some("k\n")));
}
