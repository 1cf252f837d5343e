//! Runs to be found among many, as they are made for several benches.

use trackway::{Filter, NewRun, RunOrder, RunQuery};

pub(crate) const PARAMS: usize = 5;

/// Spread evenly over 0..1, in no order.
pub(crate) fn unit(number: usize, salt: usize) -> f64 {
    let mixed = (number as u64 ^ (salt as u64) << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) as f64 / u64::MAX as f64
}

pub(crate) fn metric(number: usize) -> String {
    match number {
        0 => "acc".to_owned(),
        1 => "loss".to_owned(),
        _ => format!("metric/{number}"),
    }
}

pub(crate) fn param(number: usize) -> String {
    if number == 0 { "lr".to_owned() } else { format!("param/{number}") }
}

/// The params of the first have ten different values, of the others more.
pub(crate) fn value(run: usize, param: usize) -> String {
    ((unit(run, 100 + param) * 10.0 * (1 + param) as f64) as u64).to_string()
}

/// With its name and params.
pub(crate) fn with_params(new: NewRun, run: usize) -> NewRun {
    let new = new.name(format!("run {run}"));
    (0..PARAMS).fold(new, |new, number| new.param(param(number), value(run, number)))
}

/// Half of a tenth of them match.
pub(crate) fn best(limit: usize) -> RunQuery {
    RunQuery {
        filter: Some(Filter::new("metrics.acc > 0.5 and params.lr = '3'").unwrap()),
        order: RunOrder::new(&["metrics.loss"]).unwrap(),
        limit: Some(limit),
        ..RunQuery::default()
    }
}
