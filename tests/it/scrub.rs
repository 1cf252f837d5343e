//! Reading over sealed files: all of them, in small steps, and each damage is noted once.

use crate::support::{Scene, files, finished_run};
use trackway::StoreOptions;

#[test]
fn a_pass_reads_everything_in_small_steps_and_notes_each_damage_once() {
    let scene = Scene::new();
    {
        let store = scene.open();
        for name in ["one", "two", "three"] {
            finished_run(&store, name);
        }
    }
    let pass = |store: &trackway::Store, bytes| {
        let mut steps = 1;
        while !store.scrub(bytes).unwrap() {
            steps += 1;
        }
        steps
    };
    for read_only in [true, false] {
        let store = StoreOptions::new().background(false).read_only(read_only).open(scene.path()).unwrap();
        assert!(pass(&store, 1) > 3 * 4, "a column a step, and each folder and file");
        assert_eq!(pass(&store, u64::MAX), 1);
        assert_eq!(store.incidents(), []);
    }
    let segments = files(&scene.path(), ".seg");
    let [first, second, _] = &segments[..] else { panic!("{segments:?}") };
    for (path, at) in [(first, 66), (second, 3)] {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let store = StoreOptions::new().background(false).open(scene.path()).unwrap();
    for _ in 0..3 {
        pass(&store, 10_000);
        let mut found: Vec<_> =
            store.incidents().into_iter().map(|incident| (incident.path, incident.offset)).collect();
        found.sort();
        let expected: Vec<_> =
            store.verify(&mut |_| {}).unwrap().damage.into_iter().map(|d| (d.path, d.offset)).collect();
        assert_eq!(found, expected);
        assert_eq!(found.len(), 2);
    }
}
