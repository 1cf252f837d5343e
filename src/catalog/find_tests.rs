//! Searches by column against the plain way: every run asked, all of them sorted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::catalog::{Journal, RunState};
use crate::env::sim::SimDisk;
use crate::format::catalog::{EntryState, RunEntry, Summary};
use crate::format::record::{Change, Meta};
use crate::types::{DatasetInput, MetricSummary, Point, RunId, RunStatus, StatusCause};
use proptest::prelude::*;
use std::path::PathBuf;

const METRICS: [&str; 4] = ["acc", "loss", "loss.min", "z"];
const KEYS: [&str; 4] = ["lr", "opt", "mlflow.runName", "mlflow.parentRunId"];
const TEXTS: [&str; 5] = ["", "0.1", "adam", "Adam W", "1e-3"];
const VALUES: [f64; 7] = [0.0, -0.0, 0.5, 0.1, f64::NAN, f64::INFINITY, -3.0];

/// A run in small numbers.
#[derive(Clone, Debug)]
struct Draft {
    id: u8,
    experiment: u64,
    start: i64,
    end: Option<i64>,
    status: usize,
    name: usize,
    user: usize,
    parent: bool,
    deleted: bool,
    tidy: bool,
    params: Vec<(usize, usize)>,
    tags: Vec<(usize, usize)>,
    metrics: Vec<(usize, usize, usize, u64)>,
    dataset: Option<usize>,
}

fn draft() -> impl Strategy<Value = Draft> {
    let facts = (any::<u8>(), 0u64..2, -1i64..3, prop::option::of(0i64..4), 0usize..5);
    let words = (0usize..5, 0usize..2, any::<bool>(), any::<bool>(), any::<bool>());
    let pairs = || prop::collection::vec((0usize..4, 0usize..5), 0..3);
    let metrics = prop::collection::vec((0usize..4, 0usize..7, 0usize..7, 1u64..4), 0..4);
    (facts, words, pairs(), pairs(), metrics, prop::option::of(0usize..5)).prop_map(
        |(
            (id, experiment, start, end, status),
            (name, user, parent, deleted, tidy),
            params,
            tags,
            metrics,
            dataset,
        )| {
            let experiment = experiment + 1;
            Draft {
                id,
                experiment,
                start,
                end,
                status,
                name,
                user,
                parent,
                deleted,
                tidy,
                params,
                tags,
                metrics,
                dataset,
            }
        },
    )
}

impl Draft {
    fn entry(&self) -> RunEntry {
        let experiment_id = ExperimentId::new(self.experiment);
        let mut changes = vec![
            Change::Created {
                experiment_id,
                experiment_name: "e".to_owned(),
                start_time: self.start,
                user: TEXTS[self.user].to_owned(),
                parent: self.parent.then(|| RunId::from_bytes([self.id / 2; 16])),
            },
            Change::Name(TEXTS[self.name].to_owned()),
            Change::Status { status: RunStatus::ALL[self.status], cause: StatusCause::Dropped, end_time: self.end },
        ];
        let text = |at: usize| TEXTS[at].to_owned();
        changes.extend(
            self.params.iter().map(|(key, value)| Change::Param { key: KEYS[*key].to_owned(), value: text(*value) }),
        );
        changes.extend(
            self.tags.iter().map(|(key, value)| Change::Tag { key: KEYS[*key].to_owned(), value: text(*value) }),
        );
        changes.extend(self.deleted.then_some(Change::Lifecycle { deleted: true, at: 5 }));
        changes.extend(self.dataset.map(|name| {
            let mut dataset = DatasetInput::new(TEXTS[name], "d1");
            dataset.tags.insert(DatasetInput::CONTEXT_TAG.to_owned(), "train".to_owned());
            Change::Dataset(dataset)
        }));
        let records: Vec<Meta> = (1u64..).zip(changes).map(|(at_us, change)| Meta { at_us, change }).collect();
        let mut metrics = std::collections::BTreeMap::new();
        for (key, value, other, count) in &self.metrics {
            let (latest, other) = (VALUES[*value], VALUES[*other]);
            let numbers: Vec<f64> = [latest, other].into_iter().filter(|value| !value.is_nan()).collect();
            let summary = MetricSummary {
                count: *count,
                nan_count: if numbers.is_empty() { *count } else { 0 },
                latest: Point::new(*count as i64 * 1000, self.start, latest),
                min: numbers.iter().copied().reduce(f64::min),
                max: numbers.iter().copied().reduce(f64::max),
            };
            metrics.insert(METRICS[*key].into(), summary);
        }
        let meta = RunState::from_records(&records).encode();
        let state = EntryState::Settled(Summary { tidy: self.tidy, meta, metrics: metrics.into_iter().collect() });
        RunEntry { run_id: RunId::from_bytes([self.id; 16]), experiment_id, state }
    }
}

fn condition() -> impl Strategy<Value = String> {
    let number = || prop::sample::select(vec!["0", "0.1", "0.5", "-3", "2"]);
    let compare = || prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let metric = || {
        prop::sample::select(vec![
            "metrics.acc",
            "metrics.loss",
            "metrics.loss.min",
            "metrics.z.max",
            "metrics.`loss`.min",
            "metrics.acc.count",
            "start_time",
            "end_time",
            "duration",
            "params.lr",
            "tags.opt",
        ])
    };
    let text = || {
        prop::sample::select(vec![
            "params.lr",
            "params.opt",
            "params.none",
            "tags.lr",
            "tags.`mlflow.runName`",
            "tags.`mlflow.parentRunId`",
            "run_name",
            "user_id",
            "status",
            "experiment_id",
            "run_id",
            "artifact_uri",
            "dataset.name",
            "datasets.context",
        ])
    };
    let value = || {
        prop::sample::select(vec![
            "",
            "0.1",
            "adam",
            "FINISHED",
            "RUNNING",
            "1",
            "train",
            "03030303030303030303030303030303",
        ])
    };
    let pattern = || prop::sample::select(vec!["%a%", "Adam_W", "%", "", "0303%", "%/2/%", "f%"]);
    prop_oneof![
        (metric(), compare(), number()).prop_map(|(field, is, than)| format!("{field} {is} {than}")),
        (metric(), number(), number()).prop_map(|(field, low, high)| format!("{field} BETWEEN {low} AND {high}")),
        (metric(), any::<bool>()).prop_map(|(field, not)| format!("{field} IS {}NULL", if not { "NOT " } else { "" })),
        (text(), any::<bool>()).prop_map(|(field, not)| format!("{field} IS {}NULL", if not { "NOT " } else { "" })),
        (text(), any::<bool>(), value())
            .prop_map(|(field, not, value)| format!("{field} {} '{value}'", if not { "!=" } else { "=" })),
        (text(), any::<bool>(), any::<bool>(), pattern()).prop_map(|(field, not, case, pattern)| {
            format!("{field} {}{} '{pattern}'", if not { "NOT " } else { "" }, if case { "LIKE" } else { "ILIKE" })
        }),
        (text(), any::<bool>(), value(), value()).prop_map(|(field, not, one, two)| {
            format!("{field} {}IN ('{one}', '{two}')", if not { "NOT " } else { "" })
        }),
        text().prop_map(|field| format!("{field} RLIKE '^[a-f0]'")),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    condition().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) AND ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) OR ({b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

fn order() -> impl Strategy<Value = Vec<String>> {
    let fields = vec![
        "metrics.acc",
        "metrics.loss.min",
        "metrics.z.max",
        "metrics.`loss`.min",
        "metrics.none",
        "params.lr",
        "params.opt",
        "tags.`mlflow.runName`",
        "tags.lr",
        "start_time",
        "end_time",
        "duration",
        "status",
        "run_name",
        "user_id",
        "experiment_id",
        "run_id",
        "artifact_uri",
    ];
    let fields = prop::sample::subsequence(fields, 0..3).prop_shuffle();
    (fields, any::<[bool; 3]>()).prop_map(|(fields, down)| {
        fields.iter().zip(down).map(|(field, down)| format!("{field}{}", if down { " DESC" } else { "" })).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is in the index, came later or is live, and at whatever page size.
    #[test]
    fn a_search_finds_what_asking_every_run_finds(
        indexed in prop::collection::vec(draft(), 0..30),
        more in prop::collection::vec(draft(), 0..20),
        later in prop::collection::vec((draft(), 0u8..4), 0..12),
        filter in prop::option::of(filter()),
        order in order(),
        limit in prop::option::of(1usize..9),
        experiments in prop::collection::vec(1u64..4, 0..2),
        active: bool,
        deleted: bool,
    ) {
        let disk = SimDisk::new(1);
        let env = disk.process();
        let path = PathBuf::from("/catalog.tw");
        let mut journal = Journal::new(&env, path.clone()).index_from(1);
        journal.replace(indexed.iter().map(Draft::entry).collect());
        journal.rewrite().unwrap();
        // A second time, so that groups are kept and filled up.
        more.iter().for_each(|draft| journal.append(draft.entry(), false).unwrap());
        journal.rewrite().unwrap();
        let mut live = Vec::new();
        for (draft, kind) in &later {
            let (entry, id) = (draft.entry(), RunId::from_bytes([draft.id; 16]));
            let run = crate::catalog::known::Known::new(entry.clone()).unwrap();
            let state = match kind { 0 => EntryState::Removed, 1 => EntryState::Unsettled, _ => entry.state.clone() };
            live.retain(|run: &Run| run.id != id);
            if let ("Unsettled", crate::catalog::known::KnownState::Settled(settled)) = (format!("{state:?}").as_str(), &run.state) {
                live.push(settled.run.clone());
            }
            journal.append(RunEntry { state, ..entry }, false).unwrap();
        }
        // Another handle reads the same from the file.
        let mut other = Journal::new(&disk.process(), path).index_from(1);
        other.refresh().unwrap();
        prop_assert!(!other.is_lost());
        let briefs = journal.briefs().unwrap();
        prop_assert_eq!(&other.briefs().unwrap(), &briefs);
        let mut all = live.clone();
        for brief in &briefs {
            let entry = other.entry(brief.run_id).unwrap().unwrap();
            prop_assert_eq!(format!("{:?}", journal.entry(brief.run_id).unwrap().unwrap()), format!("{entry:?}"));
            prop_assert_eq!(other.brief(brief.run_id).unwrap(), Some(*brief));
            if let crate::catalog::known::KnownState::Settled(settled) = crate::catalog::known::Known::new(entry).unwrap().state {
                let run = other.settled_run(brief.run_id).unwrap().unwrap();
                prop_assert_eq!(format!("{:?}", run), format!("{:?}", settled.run));
                all.push(run);
            }
        }
        if let Some(index) = other.view().index {
            index.check().unwrap();
        }

        let filter = filter.map(|text| Filter::new(&text).unwrap_or_else(|error| panic!("{text}: {error}")));
        let order = RunOrder::new(&order).unwrap();
        let mut experiments: Vec<ExperimentId> = experiments.into_iter().map(ExperimentId::new).collect();
        experiments.sort_unstable();
        let (filter, order) = (filter.as_ref(), &order);
        let search = Search { experiments: &experiments, active, deleted, filter, order, limit, after: None };
        all.retain(|run| wants(&search, run));
        all.sort_by(|a, b| order.compare(a, b));
        let catalog = other.view();
        // The second time along the order that was kept, the first page too.
        let found = [(); 2].map(|()| {
            let (mut found, mut token) = (Vec::new(), None);
            loop {
                let search = Search { after: token.as_deref(), ..search };
                let page = find(&catalog, &live, &search).unwrap();
                assert!(page.next.is_none() || Some(page.runs.len()) == limit);
                found.extend(page.runs);
                match page.next {
                    None => break found,
                    next => token = next,
                }
            }
        });
        let text = |runs: &[Run]| runs.iter().map(|run| format!("{run:?}")).collect::<Vec<_>>();
        found.iter().try_for_each(|found| { prop_assert_eq!(text(found), text(&all)); Ok(()) })?;
    }
}

#[test]
fn a_damaged_part_is_noticed_when_it_is_asked_and_costs_the_others_nothing() {
    let disk = SimDisk::new(1);
    let path = PathBuf::from("/catalog.tw");
    let draft = |id: u8| Draft {
        id,
        experiment: 1,
        start: 0,
        end: None,
        status: 2,
        name: 2,
        user: 1,
        parent: false,
        deleted: false,
        tidy: true,
        params: vec![(0, 1)],
        tags: vec![(1, 2)],
        metrics: vec![(0, usize::from(id) % 4, 2, 1)],
        dataset: None,
    };
    let mut journal = Journal::new(&disk.process(), path.clone()).index_from(1);
    journal.replace((0..60).map(|id| draft(id).entry()).collect());
    journal.rewrite().unwrap();
    let content = disk.contents(&path);
    let search = |journal: &Journal| {
        let filter = Filter::new("metrics.acc < 0.2 and params.lr = '0.1'").unwrap();
        let order = RunOrder::new(&["metrics.acc"]).unwrap();
        let search = Search {
            experiments: &[],
            active: true,
            deleted: true,
            filter: Some(&filter),
            order: &order,
            limit: Some(3),
            after: None,
        };
        find(&journal.view(), &[], &search).map(|found| format!("{:?}", found.runs))
    };
    let expected = search(&journal).unwrap();
    let (mut noticed, mut unasked) = (0, 0);
    for at in 64..content.len() {
        let mut damaged = content.clone();
        damaged[at] ^= 0x10;
        disk.set_contents(&path, damaged);
        let mut other = Journal::new(&disk.process(), path.clone()).index_from(1);
        other.refresh().unwrap();
        let checked = other.view().index.map(|index| index.check());
        assert!(other.is_lost() || checked.is_some_and(|checked| checked.is_err()), "byte {at}");
        if other.is_lost() {
            noticed += 1;
            continue;
        }
        match search(&other) {
            Ok(found) => {
                assert_eq!(found, expected, "byte {at}");
                unasked += 1;
            }
            Err(error) => {
                assert!(matches!(error, crate::Error::Corrupt { .. }), "byte {at}: {error}");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 100 && unasked > 100, "{noticed} noticed, {unasked} not asked");
}

/// What is decoded when a run of a group changes is bounded in values, not in runs alone.
#[test]
fn runs_with_many_metrics_lie_in_smaller_groups() {
    let disk = SimDisk::new(1);
    let mut journal = Journal::new(&disk.process(), PathBuf::from("/catalog.tw")).index_from(1);
    let wide = |id: u8| {
        let run_id = RunId::from_bytes([id; 16]);
        let summary =
            MetricSummary { count: 1, nan_count: 0, latest: Point::new(1, 2, 3.0), min: Some(3.0), max: Some(3.0) };
        let metrics = (0..60_000).map(|number| (format!("{number:05}").into(), summary)).collect();
        let state = EntryState::Settled(Summary { tidy: true, meta: Vec::new(), metrics });
        RunEntry { run_id, experiment_id: ExperimentId::DEFAULT, state }
    };
    journal.replace((0..5).map(wide).collect());
    journal.rewrite().unwrap();
    let groups = |journal: &Journal| {
        journal.view().index.unwrap().groups().map(|group| group.unwrap().rows()).collect::<Vec<_>>()
    };
    assert_eq!(groups(&journal), [4, 1]);
    // The last one is filled up, the full one is left alone.
    journal.append(wide(9), false).unwrap();
    journal.rewrite().unwrap();
    assert_eq!(groups(&journal), [4, 2]);
    assert_eq!(journal.entry(RunId::from_bytes([9; 16])).unwrap(), Some(wide(9)));
}

/// A catalog of very many runs that are to be asked is no catalog that has grown.
#[test]
fn entries_that_came_with_the_file_are_no_growth() {
    let disk = SimDisk::new(1);
    let mut journal = Journal::new(&disk.process(), PathBuf::from("/catalog.tw")).index_from(1);
    let mixed = |number: u64| u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes();
    let run = |number| RunEntry {
        run_id: RunId::from_bytes(mixed(number)),
        experiment_id: ExperimentId::DEFAULT,
        state: EntryState::Unsettled,
    };
    journal.replace((1..90_000).map(run).collect());
    journal.rewrite().unwrap();
    let written = disk.contents("/catalog.tw").len();
    assert!(written > 1 << 20);
    journal.append(run(90_000), false).unwrap();
    let mut other = Journal::new(&disk.process(), PathBuf::from("/catalog.tw")).index_from(1);
    other.refresh().unwrap();
    other.append(run(90_001), false).unwrap();
    let content = disk.contents("/catalog.tw");
    assert!(content.len() > written && content.len() < written + 200, "{} and {written} bytes", content.len());
}

/// An entry that could be appended counts, whether or not there is room to write the file anew.
#[test]
fn a_grown_catalog_on_a_full_disk_takes_entries() {
    let disk = SimDisk::new(1);
    let mut journal = Journal::new(&disk.process(), PathBuf::from("/catalog.tw")).index_from(1);
    let run = |id: u8, text: usize| {
        let change = Change::Tag { key: "note".to_owned(), value: "x".repeat(text) };
        let meta = Meta::encode_all(&[Meta { at_us: 1, change }]);
        let state = EntryState::Settled(Summary { tidy: true, meta, metrics: Vec::new() });
        RunEntry { run_id: RunId::from_bytes([id; 16]), experiment_id: ExperimentId::DEFAULT, state }
    };
    journal.replace((0..3).map(|id| run(id, 9)).collect());
    journal.rewrite().unwrap();
    journal.append(run(3, 900_000), false).unwrap();
    disk.set_capacity(Some(disk.used() + 64 * 4096));
    for id in 4..8 {
        journal.append(run(id, 60_000), false).unwrap();
    }
    let mut other = Journal::new(&disk.process(), PathBuf::from("/catalog.tw")).index_from(1);
    other.refresh().unwrap();
    assert_eq!(other.briefs().unwrap().len(), 8);
    assert_eq!(other.briefs().unwrap(), journal.briefs().unwrap());
}

/// Below that, packed entries take half the room.
#[test]
fn few_runs_are_not_indexed_and_many_are() {
    let disk = SimDisk::new(1);
    let mut journal = Journal::new(&disk.process(), PathBuf::from("/catalog.tw"));
    let run = |number: u16| {
        let state = EntryState::Settled(Summary::default());
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        RunEntry { run_id: RunId::from_bytes(id), experiment_id: ExperimentId::DEFAULT, state }
    };
    journal.replace((0..999).map(run).collect());
    journal.rewrite().unwrap();
    assert!(journal.view().index.is_none());
    let mut other = Journal::new(&disk.process(), PathBuf::from("/catalog.tw"));
    other.refresh().unwrap();
    assert_eq!((other.briefs().unwrap().len(), other.is_lost()), (999, false));
    other.append(run(999), false).unwrap();
    other.rewrite().unwrap();
    assert_eq!(other.view().index.unwrap().rows(), 1000);
}
