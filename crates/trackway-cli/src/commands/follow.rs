//! `follow`: points as they are logged.

use crate::args::FollowArgs;
use crate::describe::status_in_words;
use crate::error::Outcome;
use crate::output::Context;
use crate::resolve;
use crate::values::{self, push_int, push_value};
use serde_json::json;
use std::time::Duration;
use trackway::Point;

/// Time between two looks: a point is seen within 100 ms.
const POLL: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &FollowArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let run = resolve::run(&store, &args.run)?;
    let mut follower = store.follow(run.id)?;
    let mut text = Vec::new();
    loop {
        let mut points = 0_u64;
        let polled = follower.poll(&mut |key, point| {
            points += 1;
            if args.output.json { push_json(&mut text, key, point) } else { push_text(&mut text, key, point) }
        });
        // What was delivered before an error is not delivered again.
        context.bytes(&text)?;
        context.flush()?;
        text.clear();
        let run = polled?;
        if points == 0 && run.status.is_ended() {
            eprintln!("trackway: run {} ended: {}", run.id, status_in_words(&run));
            return Ok(());
        }
        if points == 0 {
            std::thread::sleep(POLL);
        }
    }
}

fn push_text(text: &mut Vec<u8>, key: &str, point: Point) {
    text.extend_from_slice(key.as_bytes());
    text.push(b'\t');
    push_int(text, point.step);
    text.push(b'\t');
    push_int(text, point.timestamp);
    text.push(b'\t');
    push_value(text, point.value);
    text.push(b'\n');
}

fn push_json(text: &mut Vec<u8>, key: &str, point: Point) {
    let value = values::json(point.value);
    let line = json!({ "key": key, "step": point.step, "timestamp_ms": point.timestamp, "value": value });
    text.extend_from_slice(line.to_string().as_bytes());
    text.push(b'\n');
}
