//! Recorded training curves: the layout is described in `demo-data/README.md`.
//!
//! A sample is part of the program, so that the demo works wherever it is; a folder of the same layout can be loaded
//! instead.

use crate::error::{Failure, Outcome};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use trackway::Point;

/// One recorded run.
#[derive(Clone, Debug)]
pub struct CurveRun {
    /// Its name, unique in the set.
    pub name: String,
    /// Its params.
    pub params: Vec<(String, String)>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// When it started, in milliseconds since the Unix epoch.
    pub start_ms: Option<i64>,
    /// When it ended.
    pub end_ms: Option<i64>,
    /// Lists of log calls; metrics that were always logged together share one.
    pub axes: Vec<Axis>,
    /// The metrics.
    pub series: Vec<Series>,
}

/// A list of log calls: three columns of equal length.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// Step of each call.
    pub steps: Vec<i64>,
    /// Time of each call, in milliseconds since the Unix epoch.
    pub timestamps: Vec<i64>,
    /// Number of each call inside its run: equal numbers were logged together, and they grow with the time of arrival.
    pub calls: Vec<u32>,
}

/// One metric of a recorded run.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its key.
    pub key: String,
    /// Which axis of the run it has.
    pub axis: usize,
    /// Its values, as many as the axis has calls.
    pub values: Vec<f64>,
}

/// A run as the sequence of calls that logged it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The sets of metrics that calls have, as indexes of series.
    pub sets: Vec<Vec<usize>>,
    /// The calls in order of arrival.
    pub calls: Vec<Call>,
}

/// One log call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which set of metrics it has.
    pub set: usize,
    /// Its step.
    pub step: i64,
    /// Its time, in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// One value for each metric of the set.
    pub values: Vec<f64>,
}

impl CurveRun {
    /// Number of points of all metrics.
    pub fn point_count(&self) -> u64 {
        self.series.iter().map(|series| series.values.len() as u64).sum()
    }

    /// The points of one metric, in the order in which they were logged.
    pub fn points<'a>(&'a self, series: &'a Series) -> impl Iterator<Item = Point> + 'a {
        let axis = self.axes.get(series.axis).into_iter();
        let axis = axis.flat_map(|axis| axis.steps.iter().zip(&axis.timestamps));
        axis.zip(&series.values).map(|((step, timestamp), value)| Point::new(*step, *timestamp, *value))
    }

    /// The calls that logged this run, in order of arrival.
    pub fn plan(&self) -> Plan {
        let mut order: Vec<(u32, i64, i64, usize, usize)> = Vec::new();
        for (number, axis) in self.axes.iter().enumerate() {
            let columns = axis.calls.iter().zip(&axis.steps).zip(&axis.timestamps).enumerate();
            order.extend(columns.map(|(row, ((call, step), time))| (*call, *step, *time, number, row)));
        }
        order.sort_unstable();
        let members = self.members_of_axes();
        let mut plan = Plan::default();
        let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
        for together in order.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
            let axes: Vec<usize> = together.iter().map(|row| row.3).collect();
            let next = known.len();
            let set = *known.entry(axes).or_insert_with_key(|axes| {
                plan.sets.push(axes.iter().flat_map(|axis| members.get(axis).cloned().unwrap_or_default()).collect());
                next
            });
            let values = together.iter().flat_map(|row| {
                let series = members.get(&row.3).into_iter().flatten().filter_map(|at| self.series.get(*at));
                series.filter_map(|series| series.values.get(row.4).copied())
            });
            let values = values.collect();
            plan.calls.extend(together.first().map(|first| Call { set, step: first.1, timestamp: first.2, values }));
        }
        plan
    }

    fn members_of_axes(&self) -> HashMap<usize, Vec<usize>> {
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        for (at, series) in self.series.iter().enumerate() {
            members.entry(series.axis).or_default().push(at);
        }
        members
    }
}

/// The sample that is part of the program.
///
/// # Errors
/// When the embedded files do not fit together.
pub fn embedded() -> Outcome<Vec<CurveRun>> {
    let fetch = |name: &str| {
        let found = EMBEDDED.iter().find(|(known, _)| *known == name);
        found.map(|(_, bytes)| Cow::Borrowed(*bytes)).ok_or_else(|| Failure::new(format!("{name} is not embedded")))
    };
    load_with(&fetch("index.json")?, &fetch("params.json")?, &fetch)
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => { &[$(($name, include_bytes!(concat!("../demo-data/", $name)))),*] };
}

static EMBEDDED: &[(&str, &[u8])] = embedded![
    "index.json",
    "params.json",
    "chargru_diverging.bin",
    "charlm_bf16_resumed.bin",
    "hf_style_movies.bin",
    "lgbm_diamonds_cut.bin",
    "reinforce_cartpole.bin",
    "sweep.bin",
    "xgb_diamonds.bin",
];

/// Loads all runs of a folder. The index may lie in a folder `bin` of it, and `params.json` beside the index or one
/// folder above it.
///
/// # Errors
/// When a file is missing or the files do not fit together.
pub fn load(dir: &Path) -> Outcome<Vec<CurveRun>> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| Failure::io("read", path, &e));
    let inside = dir.join("bin");
    let dir = if inside.join("index.json").exists() { &inside } else { dir };
    let beside = dir.join("params.json");
    let params = if beside.exists() { read(&beside)? } else { read(&dir.join("../params.json"))? };
    load_with(&read(&dir.join("index.json"))?, &params, &|name| read(&dir.join(name)).map(Cow::Owned))
}

type Fetch<'a> = &'a dyn Fn(&str) -> Outcome<Cow<'static, [u8]>>;

fn load_with(index: &[u8], params: &[u8], fetch: Fetch<'_>) -> Outcome<Vec<CurveRun>> {
    let parse = |what: &str, bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes).map_err(|e| Failure::new(format!("{what}: {e}")))
    };
    let (index, params) = (parse("index.json", index)?, parse("params.json", params)?);
    let mut files: HashMap<String, Cow<'static, [u8]>> = HashMap::new();
    let mut runs = Vec::new();
    for entry in index.as_array().into_iter().flatten() {
        let name = entry["file"].as_str().unwrap_or_default();
        if !files.contains_key(name) {
            files.insert(name.to_owned(), fetch(name)?);
        }
        let file = files.get(name).map_or(&[][..], |bytes| bytes);
        runs.push(run_of(entry, &params, file)?);
    }
    Ok(runs)
}

fn run_of(entry: &Value, params: &Value, file: &[u8]) -> Outcome<CurveRun> {
    let name = entry["run"].as_str().unwrap_or_default().to_owned();
    let wrong = || Failure::new(format!("the curves of {name:?} do not fit their index"));
    let step_base = entry["step_base"].as_i64().ok_or_else(wrong)?;
    let time_base = entry["time_base_ms"].as_i64().ok_or_else(wrong)?;
    let mut axes = Vec::new();
    for axis in entry["axes"].as_array().into_iter().flatten() {
        let n = whole(&axis["n"]).ok_or_else(wrong)?;
        let column = |what: &str| u32s(file, &axis[what], n).ok_or_else(wrong);
        let from = |base: i64, column: Vec<u32>| column.into_iter().map(|x| base + i64::from(x)).collect();
        axes.push(Axis {
            steps: from(step_base, column("step")?),
            timestamps: from(time_base, column("time")?),
            calls: column("call")?,
        });
    }
    let mut series = Vec::new();
    for one in entry["series"].as_array().into_iter().flatten() {
        let axis = whole(&one["axis"]).ok_or_else(wrong)?;
        let n = axes.get(axis).ok_or_else(wrong)?.calls.len();
        let values = values_of(file, one, n).ok_or_else(wrong)?;
        series.push(Series { key: one["key"].as_str().unwrap_or_default().to_owned(), axis, values });
    }
    let extra = &params[name.as_str()];
    Ok(CurveRun {
        params: texts(&extra["params"]),
        tags: texts(&extra["tags"]),
        start_ms: extra["start_ms"].as_i64(),
        end_ms: extra["end_ms"].as_i64(),
        name,
        axes,
        series,
    })
}

fn whole(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

fn u32s(file: &[u8], offset: &Value, n: usize) -> Option<Vec<u32>> {
    let bytes = file.get(whole(offset)?..)?.get(..n.checked_mul(4)?)?;
    Some(bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
}

fn values_of(file: &[u8], series: &Value, n: usize) -> Option<Vec<f64>> {
    if series["type"] == "f32" {
        return Some(
            u32s(file, &series["values"], n)?.into_iter().map(|bits| f64::from(f32::from_bits(bits))).collect(),
        );
    }
    let bytes = file.get(whole(&series["values"])?..)?.get(..n.checked_mul(8)?)?;
    Some(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect())
}

/// The entries of a JSON object, values as a tracker would store them: text as is, all else as JSON.
fn texts(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_what_its_readme_says() {
        let runs = embedded().unwrap();
        assert_eq!((runs.len(), runs.iter().map(CurveRun::point_count).sum::<u64>()), (26, 245_831));
        let run = runs.iter().find(|run| run.name == "chargru_diverging").unwrap();
        let loss = run.series.iter().find(|series| series.key == "train/loss").unwrap();
        assert_eq!(run.points(loss).next().map(|p| p.step), Some(0));
        assert!(loss.values.last().unwrap().is_nan());
        assert!(run.params.contains(&("lr".to_owned(), "3.0".to_owned())));
    }

    #[test]
    fn a_plan_has_every_point_once_and_in_order() {
        for run in embedded().unwrap() {
            let plan = run.plan();
            let mut left: Vec<_> = run.series.iter().map(|series| run.points(series)).collect();
            for call in &plan.calls {
                let set = &plan.sets[call.set];
                assert_eq!(set.len(), call.values.len());
                for (at, value) in set.iter().zip(&call.values) {
                    let expected = left[*at].next().unwrap();
                    assert!(expected.same_bits(&Point::new(call.step, call.timestamp, *value)), "{}", run.name);
                }
            }
            assert!(left.iter_mut().all(|points| points.next().is_none()), "{}", run.name);
        }
    }
}
