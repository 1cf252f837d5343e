#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trackway::testing::checks::experiment(bytes));
