//! Sequences that once failed, each with its story.

use trackway::testing::{Crash, CrashPoint, Op, RegistryOp, Setup, run_with_crashes};

pub(crate) fn passes(setup: &Setup, ops: &[Op], crashes: &[Crash]) {
    if let Err(error) = run_with_crashes(setup, ops, crashes) {
        panic!("{setup:?} {ops:?}: {error}");
    }
}

/// A log gets its name before its first record: the name can survive a power loss without the record.
#[test]
fn a_run_whose_creation_was_lost_is_not_there() {
    passes(
        &Setup { seed: 4063727610134031054, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::Sync { writer: 0 },
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Point { writer: 1, metric: 0, step: 0, time: 0, value: 0 },
            Op::PowerLoss,
        ],
        &[],
    );
}

/// The write of the first record failed: the log was there, and with it a run without a name.
#[test]
fn a_run_that_could_not_be_created_is_not_there() {
    passes(
        &Setup { seed: 0, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::Kill { second: false },
            Op::Fail { after: 8, full: false },
            Op::CreateRun { second: false, experiment: 0, named: false },
        ],
        &[],
    );
}

/// A log that was never synced kept its name and lost its header: its run was damaged for ever.
#[test]
fn a_log_that_lost_its_first_page_with_the_power_does_not_damage_its_run() {
    passes(
        &Setup { seed: 2577794228567475500, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::Resume { second: false, run: 0 },
            Op::PowerLoss,
        ],
        &[],
    );
    passes(
        &Setup { seed: 3969349599895080416, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::Resume { second: false, run: 0 },
            Op::PowerLoss,
        ],
        &[],
    );
}

/// The disk was full after the experiment's folder was made: the next open showed an experiment nobody had created.
#[test]
fn an_experiment_that_could_not_be_created_is_not_there() {
    passes(
        &Setup { seed: 0, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::FillDisk { blocks: 18 },
            Op::Kill { second: false },
            Op::Rename { second: false, run: 0, name: 0 },
            Op::Resume { second: false, run: 0 },
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::CreateExperiment { second: false, name: 1 },
        ],
        &[],
    );
}

/// The edit was durable, but not what it relied on: the creation in the unsynced log, the names of the folders above.
#[test]
fn an_edit_from_outside_is_durable_and_so_is_the_run_that_it_edits() {
    for seed in 0..60 {
        for mapped in [true, false] {
            let create = Op::CreateRun { second: false, experiment: 0, named: true };
            let tag = Op::Tag { second: false, run: 0, key: 2, value: 2 };
            let end = Op::End { writer: 0, status: 0 };
            let setup = Setup { seed, mapped, medium: false };
            passes(&setup, &[create, tag, Op::PowerLoss], &[]);
            passes(&setup, &[create, end, Op::Maintain { second: false }, Op::PowerLoss], &[]);
            passes(&setup, &[create, Op::Kill { second: false }, Op::PowerLoss], &[]);
        }
    }
}

/// The second log survived, the first one with the run's creation did not.
#[test]
fn a_resumed_log_is_not_left_without_the_creation_of_its_run() {
    passes(
        &Setup { seed: 1606987331017882444, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::Resume { second: false, run: 0 },
            Op::Point { writer: 0, metric: 2, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 3, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 4, step: 0, time: 0, value: 0 },
            Op::End { writer: 0, status: 0 },
            Op::Columns { writer: 0, metric: 0, len: 2556, shape: 0, step: 0, time: 0, value: 0 },
            Op::End { writer: 0, status: 0 },
            Op::PowerLoss,
        ],
        &[],
    );
}

/// The word that closes a frame was stored, and the call said no: the log's published word was older than its frames.
#[test]
fn a_sync_that_fails_while_closing_a_frame_leaves_no_damage() {
    passes(
        &Setup { seed: 5639525159146904469, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Sync { writer: 0 },
            Op::Fail { after: 13, full: false },
            Op::TagExperiment { second: false, experiment: 0, key: 0, value: 0 },
            Op::Columns { writer: 0, metric: 5, len: 500, shape: 0, step: 0, time: 0, value: 0 },
            Op::Sync { writer: 0 },
        ],
        &[],
    );
}

/// The removal of a sealed log was not durable; the catalog said that there is nothing to do for the run.
#[test]
fn a_sealed_log_that_comes_back_with_a_power_loss_is_no_damage() {
    passes(
        &Setup { seed: 2320266980471192337, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::DeleteRun { second: false, run: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::PowerLoss,
            Op::CreateExperiment { second: false, name: 1 },
            Op::PowerLoss,
        ],
        &[],
    );
}

/// A fault while the compaction completed a run was noted and forgotten: it said that it had removed the deleted run.
#[test]
fn a_compaction_that_could_not_complete_a_run_says_so() {
    passes(
        &Setup { seed: 0, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::DeleteRun { second: false, run: 0 },
            Op::Advance,
            Op::Fail { after: 11, full: false },
            Op::OpenSecond,
            Op::Kill { second: false },
            Op::Fail { after: 0, full: false },
            Op::Compact { second: false },
        ],
        &[],
    );
}

/// The catalog's word that somebody writes to the run again was lost with the power, and so was all of his log but the
/// name: nobody had a reason to look there, and checking the store took the leftover for damage.
#[test]
fn a_log_that_went_with_the_power_is_no_damage_of_a_settled_run() {
    passes(
        &Setup { seed: 9881343956500522547, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: true },
            Op::End { writer: 0, status: 0 },
            Op::Maintain { second: false },
            Op::Resume { second: false, run: 0 },
            Op::Compact { second: false },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Kill { second: true },
            Op::PowerLoss,
            Op::PowerLoss,
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
        ],
        &[],
    );
}

/// A compaction was killed when the new catalog had its name, and before the folder was synced. A rename from outside made
/// its entry durable in that file, but not the name; the power loss brought back the old catalog, where the run was settled.
#[test]
fn an_entry_is_durable_only_in_a_catalog_whose_name_is() {
    for seed in 0..20 {
        for mapped in [true, false] {
            // Around the last calls of the compaction.
            for at in 64..72 {
                passes(
                    &Setup { seed, mapped, medium: true },
                    &[
                        Op::CreateRun { second: false, experiment: 0, named: false },
                        Op::PowerLoss,
                        Op::OpenSecond,
                        Op::Compact { second: true },
                        Op::Rename { second: false, run: 0, name: 0 },
                        Op::PowerLoss,
                    ],
                    &[Crash { at, point: CrashPoint::Before, power: false }],
                );
            }
        }
    }
}

/// A param that another writer had logged was not logged again: synced by its own writer, it was lost with the other's log.
#[test]
fn a_param_is_durable_when_its_writer_has_synced_whoever_logged_it_first() {
    for seed in 0..20 {
        for mapped in [true, false] {
            let setup = Setup { seed, mapped, medium: false };
            let create = Op::CreateRun { second: false, experiment: 0, named: false };
            let resume = Op::Resume { second: false, run: 0 };
            let params = |writer, key| Op::Params { writer, key, value: 4 };
            let sync = Op::Sync { writer: 1 };
            passes(&setup, &[create, resume, params(0, 0), params(1, 1), sync, Op::PowerLoss], &[]);
            passes(&setup, &[create, resume, params(0, 0), params(1, 1), Op::PowerLoss], &[]);
        }
    }
}

/// A log of which the power left nothing to believe was removed, and the run was settled; the next power loss took the
/// removal, and not the settled entry. Nobody had a reason to look at the log, and checking the store took it for damage.
#[test]
fn a_removed_log_that_no_segment_covers_does_not_come_back() {
    let crash = |at| Crash { at, point: CrashPoint::Torn, power: true };
    passes(
        &Setup { seed: 1, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Row { writer: 0, metric: 0, len: 0, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::OpenSecond,
            Op::Maintain { second: false },
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Resume { second: false, run: 0 },
            Op::Compact { second: false },
            Op::End { writer: 0, status: 0 },
            Op::PowerLoss,
            Op::Rename { second: false, run: 2, name: 0 },
            Op::PowerLoss,
        ],
        &[crash(81), crash(12)],
    );
}

/// A compaction was killed between the merge and the removal of a log that a power loss had brought back. There was nothing
/// more to merge, and the log stayed.
#[test]
fn a_compaction_removes_what_one_that_was_killed_has_left() {
    for seed in 0..10 {
        for at in 88..98 {
            passes(
                &Setup { seed, mapped: true, medium: false },
                &[
                    Op::CreateRun { second: false, experiment: 0, named: false },
                    Op::CreateRun { second: false, experiment: 1, named: false },
                    Op::CreateRun { second: false, experiment: 0, named: true },
                    Op::Untag { second: false, run: 2, key: 2 },
                    Op::PowerLoss,
                    Op::PowerLoss,
                    Op::Compact { second: false },
                ],
                &[Crash { at, point: CrashPoint::Before, power: false }],
            );
        }
    }
}

/// A rename of an experiment was killed before it was durable. Who then asked for the experiment by its new name was given
/// it, and the power loss took the name.
#[test]
fn an_experiment_that_was_found_is_as_durable_as_a_created_one() {
    for at in 36..44 {
        passes(
            &Setup { seed: 1, mapped: false, medium: false },
            &[
                Op::Compact { second: false },
                Op::RenameExperiment { second: false, experiment: 0, name: 5 },
                Op::CreateExperiment { second: false, name: 5 },
                Op::PowerLoss,
            ],
            &[Crash { at, point: CrashPoint::Torn, power: false }],
        );
    }
}

/// The creation of an experiment was killed, and of a run in it the power left an empty folder: an experiment that nobody
/// had named was made for it.
#[test]
fn an_empty_folder_of_a_run_makes_no_experiment() {
    passes(
        &Setup { seed: 13831586228801276715, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::End { writer: 0, status: 0 },
            Op::Maintain { second: false },
            Op::CreateExperiment { second: false, name: 1 },
            Op::OpenSecond,
            Op::CreateRun { second: false, experiment: 5, named: false },
        ],
        &[
            Crash { at: 60, point: CrashPoint::Torn, power: false },
            Crash { at: 18, point: CrashPoint::After, power: true },
        ],
    );
}

/// Of a log that was never synced the power left a hundred bytes: they were taken for a damaged log of a run that nobody
/// had been promised.
#[test]
fn a_log_that_is_shorter_than_its_first_page_was_never_synced() {
    passes(
        &Setup { seed: 12_592_308_797_806_996_503, mapped: false, medium: true },
        &[Op::CreateRun { second: false, experiment: 0, named: false }],
        &[
            Crash { at: 18, point: CrashPoint::Before, power: false },
            Crash { at: 32, point: CrashPoint::Torn, power: true },
        ],
    );
}

/// The deletion of a run was killed before its name was durable. Who opened the store next told the catalog of it, and the
/// power loss kept the catalog's page and took the deletion: the run was hidden, by no file's word.
#[test]
fn the_catalog_learns_of_a_change_once_it_is_durable() {
    passes(
        &Setup { seed: 0, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::End { writer: 0, status: 0 },
            Op::Maintain { second: false },
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::FlipRead { after: 0 },
            Op::Resume { second: false, run: 1 },
            Op::DeleteRun { second: false, run: 0 },
            Op::Resume { second: false, run: 1 },
        ],
        &[
            Crash { at: 85, point: CrashPoint::Before, power: false },
            Crash { at: 22, point: CrashPoint::Before, power: true },
        ],
    );
}

/// The removal of a run whose time had come failed when its entry was to be made durable. The run was still there, and
/// who read the catalog alone did not find it.
#[test]
fn a_removal_that_failed_leaves_the_run_where_it_was() {
    passes(
        &Setup { seed: 0, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Reopen { second: false },
            Op::DeleteRun { second: false, run: 0 },
            Op::Advance,
            Op::Fail { after: 1, full: false },
            Op::Compact { second: false },
        ],
        &[],
    );
}

/// Somebody renamed a run that is being written; the sync that this entails failed, and the pages were clean. The writer's
/// own sync has to be told.
#[test]
fn a_writer_learns_that_anothers_sync_has_lost_its_pages() {
    passes(
        &Setup { seed: 0, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Compact { second: false },
            Op::Columns { writer: 0, metric: 0, len: 51, shape: 0, step: 0, time: 0, value: 0 },
            Op::Fail { after: 0, full: false },
            Op::Rename { second: false, run: 0, name: 0 },
            Op::Sync { writer: 0 },
            Op::Reopen { second: false },
        ],
        &[Crash { at: 73, point: CrashPoint::Before, power: true }],
    );
}

/// The sync of a writer failed, and the next maintenance, which had nothing left to sync, said that all was well.
#[test]
fn maintenance_does_not_call_durable_what_a_failed_sync_has_lost() {
    passes(
        &Setup { seed: 0, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Fail { after: 0, full: false },
            Op::Maintain { second: false },
            Op::Maintain { second: false },
            Op::Tag { second: false, run: 0, key: 0, value: 0 },
        ],
        &[
            Crash { at: 45, point: CrashPoint::After, power: false },
            Crash { at: 1, point: CrashPoint::Before, power: true },
        ],
    );
}

/// A fault of the model: whether a model was registered was in doubt, and so was what came next; a power loss took the first
/// and left the second.
#[test]
fn what_is_doubted_may_come_back_with_what_was_unsure_after_it() {
    passes(
        &Setup { seed: 2, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Registry { second: false, what: RegistryOp::Create { model: 0 } },
            Op::Tag { second: false, run: 0, key: 0, value: 0 },
        ],
        &[
            Crash { at: 47, point: CrashPoint::Before, power: false },
            Crash { at: 20, point: CrashPoint::Before, power: true },
        ],
    );
}

/// A fault of the model: maintenance, which had nothing to do, was taken to have made durable what a killed writer had left and
/// the opening, whose disk failed, could not seal.
#[test]
fn maintenance_is_not_for_what_a_killed_process_has_left() {
    passes(
        &Setup { seed: 0, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Fail { after: 11, full: false },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Tag { second: false, run: 0, key: 0, value: 0 },
            Op::Maintain { second: false },
            Op::OpenSecond,
        ],
        &[
            Crash { at: 49, point: CrashPoint::Torn, power: false },
            Crash { at: 5, point: CrashPoint::Before, power: true },
        ],
    );
}

/// Who made the store was killed when its file had its name, which was not durable. Who opened it next logged to it, and the
/// power loss took the name: nothing was a store any more.
#[test]
fn a_store_keeps_its_file_when_its_maker_was_killed() {
    passes(
        &Setup { seed: 0, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Columns { writer: 0, metric: 0, len: 1, shape: 0, step: 0, time: 0, value: 0 },
            Op::Kill { second: false },
            Op::Maintain { second: false },
            Op::Registry { second: false, what: RegistryOp::Create { model: 0 } },
        ],
        &[
            Crash { at: 12, point: CrashPoint::After, power: false },
            Crash { at: 55, point: CrashPoint::Before, power: true },
        ],
    );
}

/// The power took the end of a log, and with it the right to believe what its writer filled after it. Whoever tidied up was
/// killed when the first was sealed and the second still there: the segment vouched for it, and calls came back whose
/// forerunners were lost.
#[test]
fn a_log_whose_forerunner_lost_its_end_does_not_come_back_when_the_recovery_is_killed() {
    let columns = |metric, len, shape| Op::Columns { writer: 0, metric, len, shape, step: 0, time: 0, value: 0 };
    for power in [false, true] {
        for at in 80..110 {
            passes(
                &Setup { seed: 4433179480549316372, mapped: false, medium: false },
                &[
                    Op::CreateRun { second: false, experiment: 0, named: false },
                    columns(1, 1491, 3),
                    columns(1, 1379, 15),
                    columns(1, 1479, 0),
                    columns(0, 1379, 3),
                    Op::PowerLoss,
                ],
                &[Crash { at, point: CrashPoint::Before, power }],
            );
        }
    }
}

/// A compaction that failed had sealed the log of a writer that had ended: another process may then remove its run. The model
/// took for held what may have been let go.
#[test]
fn a_compaction_that_fails_may_have_let_go_of_a_log() {
    for after in 0..10 {
        passes(
            &Setup { seed: 0, mapped: true, medium: false },
            &[
                Op::CreateRun { second: false, experiment: 0, named: false },
                Op::DeleteRun { second: false, run: 0 },
                Op::FailLook { after },
                Op::End { writer: 0, status: 0 },
                Op::Compact { second: false },
                Op::OpenSecond,
                Op::Advance,
                Op::Compact { second: true },
            ],
            &[],
        );
    }
}

/// A run was resumed, which failed when its log had a name, so that the log was removed again. Whoever settled the run told the
/// catalog how it had ended; then the power brought the log back, in which the run goes on.
#[test]
fn a_log_that_failed_to_begin_does_not_come_back_when_its_run_is_settled() {
    for at in 20..36 {
        passes(
            &Setup { seed: 2, mapped: true, medium: true },
            &[
                Op::CreateRun { second: false, experiment: 0, named: false },
                Op::Row { writer: 0, metric: 0, len: 0, step: 0, time: 0, value: 0 },
                Op::End { writer: 0, status: 0 },
                Op::CreateRun { second: false, experiment: 0, named: false },
                Op::Compact { second: false },
                Op::Fail { after: 8, full: false },
                Op::Resume { second: false, run: 0 },
                Op::Resume { second: false, run: 1 },
                Op::DeleteRun { second: false, run: 5 },
            ],
            &[
                Crash { at: 125, point: CrashPoint::Torn, power: false },
                Crash { at, point: CrashPoint::After, power: true },
            ],
        );
    }
}
