//! `import` and `export`.

use crate::harness::{Place, feed};

const A: &str = "00000000000000000000000000000001";
const B: &str = "ffffffffffffffffffffffffffffffff";

/// Rows as `export` writes them: by run (the one that started first), metric and order of writing.
fn rows() -> String {
    let mut text = "run,key,step,timestamp_ms,value\n".to_owned();
    let mut row = |run: &str, key: &str, step: i64, time: i64, value: &str| {
        text.push_str(&format!("{run},{key},{step},{time},{value}\n"));
    };
    for (i, value) in ["0.1", "NaN", "-0.0", "Infinity", "5e-324", "nan:7ff8000000000001", "1e300"].iter().enumerate() {
        row(A, "\"a,\"\"b\"\"\"", 3 - i as i64, 1000 + i as i64, value);
    }
    for step in 0..3000_i64 {
        row(A, "acc", step, 2000 + step, &format!("{:?}", step as f64 / 7.0));
    }
    for step in 0..3000_i64 {
        row(A, "loss", step, 2000 + step, &format!("{:?}", 1.0 / (step + 1) as f64));
    }
    row(B, "x", i64::MAX, i64::MAX, "-1.7976931348623157e308");
    row(B, "x", i64::MIN, 1500, "nan:fff8000000000000");
    text
}

#[test]
fn export_gives_back_what_was_imported_byte_for_byte() {
    let place = Place::new();
    let file = place.path("in.csv");
    std::fs::write(&file, rows()).unwrap();
    let ran = place.run(&["import", file.to_str().unwrap(), "--experiment", "old"]);
    assert!(ran.err.contains("imported 6,009 points of 4 metrics into 2 runs"), "{}", ran.err);
    assert_eq!(ran.ok(), format!("{A}\n{B}\n"));
    assert_eq!(place.ok(&["export"]), rows());
    place.ok(&["compact"]);
    assert_eq!(place.ok(&["export"]), rows());
    let shown = place.json(&["show", A, "--json"]);
    assert_eq!(
        (&shown["start_ms"], &shown["end_ms"], &shown["status"]),
        (&1000.into(), &4999.into(), &"FINISHED".into())
    );
    assert_eq!(shown["experiment"], "old");
    // The same through a pipe into a second store.
    let second = place.path("second");
    feed(&second, &["import", "-"], place.ok(&["export"]).as_bytes()).ok();
    assert_eq!(feed(&second, &["export"], b"").ok(), rows());
}

#[test]
fn rows_in_order_of_time_keep_the_order_inside_each_metric() {
    let place = Place::new();
    let (mut sorted_by_time, mut loss) = ("value,timestamp_ms,step,key,run\r\n".to_owned(), Vec::new());
    for i in 0..500 {
        let step = i % 50;
        sorted_by_time.push_str(&format!("{i},{i},{step},loss,named\r\n{i},{i},{step},acc,named\r\n"));
        loss.push((step, i));
        if i % 10 == 0 {
            sorted_by_time.push_str(&format!("{i},{i},{step},val/loss,named\r\n"));
        }
    }
    place.feed(&["import", "-"], sorted_by_time.as_bytes()).ok();
    let points = place.json(&["points", "named", "loss", "--json"]);
    let got = points["points"].as_array().unwrap().iter();
    let got: Vec<(i64, i64)> =
        got.map(|p| (p["step"].as_i64().unwrap(), p["value"].as_f64().unwrap() as i64)).collect();
    assert_eq!(got, loss);
    let last = place.json(&["points", "named", "loss", "--order", "last", "--from", "48", "--json"]);
    let last = last["points"].as_array().unwrap();
    assert_eq!((last.len(), last[0]["value"].as_f64(), last[1]["value"].as_f64()), (2, Some(498.0), Some(499.0)));
    assert_eq!(place.json(&["show", "named", "--json"])["metrics"]["val/loss"]["count"], 50);
}

#[test]
fn a_bad_row_names_its_line_and_ends_what_was_begun_as_failed() {
    let place = Place::new();
    let input = b"run,key,step,timestamp_ms,value\nr,loss,1,2,0.5\nr,loss,2,3,half\n";
    let error = place.feed(&["import", "-"], input).error();
    assert!(error.contains("standard input, line 3: value \"half\" is not a number"), "{error}");
    assert!(error.contains("1 run ended as FAILED"), "{error}");
    let shown = place.json(&["show", "r", "--json"]);
    assert_eq!((&shown["status"], &shown["points"]), (&"FAILED".into(), &1.into()));
}

#[test]
fn a_run_that_exists_is_refused_and_nothing_of_the_file_is_imported() {
    let place = Place::new();
    let header = "run,key,step,timestamp_ms,value\n";
    place.feed(&["import", "-"], format!("{header}{B},x,1,2,3\n").as_bytes()).ok();
    let before = place.ok(&["export"]);
    let file = place.path("again.csv");
    std::fs::write(&file, format!("{header}{A},x,1,2,3\n{B},x,1,2,4\n")).unwrap();
    let error = place.run(&["import", file.to_str().unwrap()]).error();
    assert!(error.contains(&format!("run {B:?} exists already")), "{error}");
    assert_eq!(place.ok(&["export"]), before);
}

#[test]
fn export_as_json_lines_and_with_names() {
    let place = Place::new();
    let id = place.log("a name, quoted", "{\"step\": 1, \"timestamp_ms\": 5, \"x\": NaN, \"y\": 0.1}");
    let text = place.ok(&["export", &id, "--format", "jsonl"]);
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&rows[0]["run"], &rows[0]["value"], &rows[1]["value"]),
        (&id.as_str().into(), &"NaN".into(), &0.1.into())
    );
    let text = place.ok(&["export", "--names"]);
    assert!(text.contains("\n\"a name, quoted\",x,1,5,NaN\n"), "{text}");
    place.log("a name, quoted", "{\"x\": 1}");
    assert!(place.run(&["export", "--names"]).error().contains("the same name"));
}
