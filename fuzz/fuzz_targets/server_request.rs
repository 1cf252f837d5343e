#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trackway_fuzz::run(trackway_server::testing::server_request, bytes));
