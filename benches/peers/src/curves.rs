//! Real training curves, from the plain binary form of a folder of recorded runs (`bin/index.json` and what it names).
//!
//! An *axis* is a list of log calls: step, time and number of each call. A *series* is one metric: its key, its axis,
//! and a value for each call.

use crate::workload::Points;
use serde_json::Value;
use std::path::Path;

/// A recorded run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) axes: Vec<Axis>,
    pub(crate) series: Vec<Series>,
}

/// Log calls that gave the same metrics.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) steps: Vec<i64>,
    pub(crate) times: Vec<i64>,
    /// Rising; tells the order of calls between axes.
    pub(crate) calls: Vec<u32>,
}

/// A metric.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) key: String,
    pub(crate) axis: usize,
    pub(crate) values: Vec<f64>,
}

impl Run {
    /// The points of a series.
    pub(crate) fn points(&self, series: &Series) -> Points {
        let axis = &self.axes[series.axis];
        Points { steps: axis.steps.clone(), times: axis.times.clone(), values: series.values.clone() }
    }

    /// Number of points.
    pub(crate) fn len(&self) -> usize {
        self.series.iter().map(|series| series.values.len()).sum()
    }
}

/// Loads all runs of a folder.
///
/// # Errors
/// The folder is not such a folder.
pub(crate) fn load(folder: &Path) -> Result<Vec<Run>, Box<dyn std::error::Error>> {
    let bin = folder.join("bin");
    let index: Value = serde_json::from_str(&std::fs::read_to_string(bin.join("index.json"))?)?;
    let runs = index.as_array().ok_or("the index is no array")?;
    let mut last: (String, Vec<u8>) = Default::default();
    let mut loaded = Vec::new();
    for run in runs {
        let file = run["file"].as_str().ok_or("a run without a file")?;
        if last.0 != file {
            last = (file.to_owned(), std::fs::read(bin.join(file))?);
        }
        loaded.push(one(run, &last.1).ok_or_else(|| format!("{file} does not hold what the index says"))?);
    }
    Ok(loaded)
}

fn one(run: &Value, bytes: &[u8]) -> Option<Run> {
    let (step_base, time_base) = (run["step_base"].as_i64()?, run["time_base_ms"].as_i64()?);
    let words = |at: &Value, n: usize| -> Option<Vec<u32>> {
        let at = at.as_u64()? as usize;
        let words = bytes.get(at..at + n * 4)?.as_chunks::<4>().0;
        Some(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    };
    let mut axes = Vec::new();
    for axis in run["axes"].as_array()? {
        let n = axis["n"].as_u64()? as usize;
        axes.push(Axis {
            steps: words(&axis["step"], n)?.into_iter().map(|step| step_base + i64::from(step)).collect(),
            times: words(&axis["time"], n)?.into_iter().map(|time| time_base + i64::from(time)).collect(),
            calls: words(&axis["call"], n)?,
        });
    }
    let mut series = Vec::new();
    for one in run["series"].as_array()? {
        let axis = one["axis"].as_u64()? as usize;
        let n = axes.get(axis)?.calls.len();
        let values = if one["type"] == "f32" {
            words(&one["values"], n)?.into_iter().map(|bits| f64::from(f32::from_bits(bits))).collect()
        } else {
            let at = one["values"].as_u64()? as usize;
            bytes.get(at..at + n * 8)?.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
        };
        series.push(Series { key: one["key"].as_str()?.to_owned(), axis, values });
    }
    Some(Run { name: run["run"].as_str()?.to_owned(), axes, series })
}
