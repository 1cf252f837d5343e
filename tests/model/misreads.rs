//! Sequences that once failed because a read did, or brought a bit that had flipped; each with its story.

use crate::regressions::passes;
use trackway::testing::{Crash, CrashPoint, Op, Setup};

/// A bit flipped on its way from the medium while a dead log was read: the rest of the log was taken for lost, and went to
/// the quarantine, though the medium had it.
#[test]
fn a_bit_that_flips_while_a_log_is_recovered_does_not_end_the_log() {
    let kill = |at| Crash { at, point: CrashPoint::Before, power: false };
    passes(
        &Setup { seed: 0, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::FlipRead { after: 8 },
            Op::Sync { writer: 0 },
            Op::CreateRun { second: false, experiment: 1, named: false },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
        ],
        &[kill(28), kill(28)],
    );
    for after in 0..20 {
        for mapped in [true, false] {
            passes(
                &Setup { seed: 0, mapped, medium: false },
                &[
                    Op::CreateRun { second: false, experiment: 0, named: true },
                    Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
                    Op::Param { writer: 0, key: 0, value: 0 },
                    Op::FlipRead { after },
                    Op::Kill { second: false },
                ],
                &[],
            );
        }
    }
}

/// The catalog could not be read for a moment: what it holds was made up from the folders, where every run is unsettled,
/// and so nobody wrote that this one is. The next process believed the settled entry that was still in the file.
#[test]
fn a_catalog_that_cannot_be_read_for_a_moment_is_written_anew() {
    let kill = |at| Crash { at, point: CrashPoint::Before, power: false };
    passes(
        &Setup { seed: 0, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Columns { writer: 0, metric: 0, len: 1, shape: 0, step: 0, time: 0, value: 0 },
            Op::Compact { second: false },
            Op::FlipRead { after: 0 },
            Op::Resume { second: false, run: 0 },
        ],
        &[kill(42), kill(12)],
    );
    for after in 0..20 {
        for fault in [Op::FlipRead { after }, Op::FailLook { after }] {
            passes(
                &Setup { seed: 0, mapped: true, medium: false },
                &[
                    Op::CreateRun { second: false, experiment: 0, named: true },
                    Op::End { writer: 0, status: 0 },
                    Op::Maintain { second: false },
                    fault,
                    Op::Resume { second: false, run: 0 },
                    Op::Check,
                ],
                &[],
            );
        }
    }
}

/// The file of an experiment came back with a bit flipped: the experiment was not found, and a second one could have got
/// its name.
#[test]
fn an_experiment_is_there_when_its_file_is_misread() {
    for after in 0..8 {
        passes(
            &Setup { seed: 0, mapped: true, medium: false },
            &[
                Op::CreateExperiment { second: false, name: 1 },
                Op::FlipRead { after },
                Op::CreateExperiment { second: false, name: 1 },
                Op::CreateRun { second: false, experiment: 1, named: false },
                Op::Check,
            ],
            &[],
        );
    }
}

/// The files of the run could not be read for a moment, and a writer that was dropped then overruled the one that had said how
/// the run ended.
#[test]
fn a_dropped_writer_that_cannot_look_does_not_overrule_one_that_has_spoken() {
    passes(
        &Setup { seed: 0, mapped: true, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Resume { second: false, run: 0 },
            Op::FailLook { after: 0 },
            Op::End { writer: 0, status: 0 },
            Op::Drop { writer: 0 },
        ],
        &[],
    );
}

/// A bit that flips on its way from the medium is read again, whichever it is: it must not keep what is due from being removed.
#[test]
fn a_flipped_read_does_not_keep_a_deleted_run() {
    for after in 0..12 {
        for seed in 0..8 {
            passes(
                &Setup { seed, mapped: true, medium: false },
                &[
                    Op::CreateRun { second: false, experiment: 0, named: false },
                    Op::DeleteRun { second: false, run: 0 },
                    Op::Advance,
                    Op::Drop { writer: 0 },
                    Op::Maintain { second: false },
                    Op::FlipRead { after },
                    Op::Compact { second: false },
                ],
                &[],
            );
        }
    }
}

/// Room for a log was read before it was written to, by calls: a bit that flipped then was written where a frame begins, and
/// what was logged, and acknowledged, could not be read.
#[test]
fn a_bit_that_flips_while_a_log_is_begun_loses_nothing() {
    // Of one bit in 1,500.
    passes(
        &Setup { seed: 10200195205102072729, mapped: false, medium: false },
        &[
            Op::CreateRun { second: false, experiment: 0, named: false },
            Op::Compact { second: false },
            Op::Point { writer: 0, metric: 0, step: 0, time: 0, value: 0 },
            Op::Kill { second: false },
            Op::FlipRead { after: 4 },
            Op::CreateRun { second: false, experiment: 0, named: false },
        ],
        &[],
    );
}

/// One segment could not be opened for a moment while a writer was dropped: it did not see that somebody else had said how the
/// run ended.
#[test]
fn a_dropped_writer_that_cannot_open_a_segment_does_not_overrule_what_it_says() {
    for after in 0..16 {
        passes(
            &Setup { seed: 0, mapped: true, medium: false },
            &[
                Op::CreateRun { second: false, experiment: 0, named: false },
                Op::Leave { writer: 0 },
                Op::SetStatus { second: false, run: 0, status: 0 },
                Op::Rename { second: false, run: 0, name: 0 },
                Op::Resume { second: false, run: 0 },
                Op::SetStatus { second: false, run: 0, status: 2 },
                Op::Compact { second: false },
                Op::FailLook { after },
                Op::Drop { writer: 0 },
            ],
            &[],
        );
    }
}

/// The catalog was written anew, and a bit flipped when that was read back: what had been read until then was taken for all that
/// there is, and written anew once more, without a run.
#[test]
fn a_bit_that_flips_while_a_new_catalog_is_read_back_hides_no_run() {
    for after in 0..8 {
        passes(
            &Setup { seed: 0, mapped: true, medium: false },
            &[
                Op::CreateRun { second: false, experiment: 0, named: false },
                Op::Fail { after: 0, full: false },
                Op::Rename { second: false, run: 0, name: 0 },
                Op::FlipRead { after },
                Op::CreateRun { second: false, experiment: 0, named: false },
            ],
            &[],
        );
    }
}
