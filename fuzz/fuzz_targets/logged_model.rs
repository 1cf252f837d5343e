#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trackway_fuzz::run(trackway::testing::checks::logged_model, bytes));
