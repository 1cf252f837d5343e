//! `follow`.

use crate::harness::{Place, program};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

#[test]
fn points_are_followed_until_the_run_ends() {
    let place = Place::new();
    let mut writer = program()
        .arg("--store")
        .arg(place.store())
        .args(["log", "--name", "live"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    let mut id = String::new();
    BufReader::new(writer.stdout.take().unwrap()).read_line(&mut id).unwrap();
    let mut follower = program()
        .arg("--store")
        .arg(place.store())
        .args(["follow", id.trim()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut followed = BufReader::new(follower.stdout.take().unwrap()).lines();
    // Each line is written only after the one before it was seen: the follower needs no end of the run.
    for step in 0..20 {
        writeln!(input, "{{\"step\": {step}, \"timestamp_ms\": 5, \"loss\": 0.5}}").unwrap();
        assert_eq!(followed.next().unwrap().unwrap(), format!("loss\t{step}\t5\t0.5"));
    }
    drop(input);
    assert!(writer.wait().unwrap().success());
    assert!(followed.next().is_none());
    let output = follower.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("ended: FINISHED"));
    let text = place.ok(&["follow", "live", "--json"]);
    assert_eq!(text.lines().next(), Some(r#"{"key":"loss","step":0,"timestamp_ms":5,"value":0.5}"#));
    assert_eq!(text.lines().count(), 20);
}

#[test]
fn a_killed_writer_is_found_at_the_next_open_and_loses_nothing() {
    let place = Place::new();
    let mut writer = program()
        .arg("--store")
        .arg(place.store())
        .args(["log", "--name", "killed"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    let mut id = String::new();
    BufReader::new(writer.stdout.take().unwrap()).read_line(&mut id).unwrap();
    let mut follower = program()
        .arg("--store")
        .arg(place.store())
        .args(["follow", id.trim()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut followed = BufReader::new(follower.stdout.take().unwrap()).lines();
    for step in 0..100 {
        writeln!(input, "{{\"step\": {step}, \"loss\": 0.5}}").unwrap();
    }
    // Once a follower saw the last line the writer has logged them all.
    assert!(followed.by_ref().take(100).all(|line| line.is_ok()));
    writer.kill().unwrap();
    writer.wait().unwrap();
    let opened = place.run(&["tag", id.trim(), "opened", "yes"]);
    assert!(opened.err.contains("its writer vanished"), "{}", opened.err);
    opened.ok();
    let shown = place.json(&["show", "killed", "--json"]);
    assert_eq!((&shown["status"], &shown["status_cause"]), (&"KILLED".into(), &"vanished".into()));
    assert_eq!(shown["points"], 100);
    assert!(place.ok(&["show", "killed"]).contains("KILLED (the writing process vanished; completed when the store"));
    // The follower learns the end from the store as well.
    assert!(followed.next().is_none());
    assert!(follower.wait().unwrap().success());
}
