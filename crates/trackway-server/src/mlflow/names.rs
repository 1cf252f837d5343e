//! Names for runs that are given none: `brisk-heron-417`, at most 20 characters as MLflow's.

const MANNERS: &[&str] = &[
    "amber", "ample", "ancient", "arctic", "blithe", "bold", "brave", "bright", "brisk", "calm", "candid", "civil",
    "clear", "clever", "cosmic", "crisp", "dapper", "deft", "eager", "earnest", "fair", "fleet", "fond", "frank",
    "gentle", "glad", "golden", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid",
    "lunar", "mellow", "merry", "mild", "modest", "noble", "patient", "placid", "polite", "prompt", "proud", "quick",
    "quiet", "rapid", "royal", "rustic", "sage", "serene", "silent", "silver", "solar", "sober", "stout", "sunny",
    "swift", "tidy", "true", "vivid", "warm", "wise", "witty", "young",
];

const BEINGS: &[&str] = &[
    "alder", "aspen", "badger", "beaver", "birch", "bison", "cedar", "cod", "coot", "crane", "cricket", "curlew",
    "daisy", "deer", "dove", "eagle", "elk", "fern", "finch", "fox", "gannet", "goose", "grouse", "hare", "hawk",
    "hazel", "heron", "ibex", "iris", "jackdaw", "kestrel", "kite", "lark", "larch", "linden", "lynx", "maple",
    "marten", "merlin", "mole", "moose", "newt", "oak", "osprey", "otter", "owl", "perch", "pike", "plover", "poplar",
    "raven", "robin", "rook", "rowan", "salmon", "seal", "shrike", "siskin", "spruce", "stoat", "stork", "swan",
    "swift", "tern", "thrush", "trout", "vole", "walrus", "willow", "wren",
];

/// A name that is likely to be nobody else's.
pub(super) fn random_name() -> String {
    // Without randomness names repeat, which they may.
    let random = getrandom::u64().unwrap_or_default();
    let pick = |words: &[&'static str], number: u64| words.get((number % words.len() as u64) as usize).copied();
    let (manner, being) = (pick(MANNERS, random).unwrap_or_default(), pick(BEINGS, random >> 20).unwrap_or_default());
    format!("{manner}-{being}-{}", (random >> 40) % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_have_three_parts() {
        let longest = |words: &[&str]| words.iter().map(|word| word.len()).max();
        assert!(longest(MANNERS).zip(longest(BEINGS)).is_some_and(|(a, b)| a + b + "--999".len() <= 20));
        assert_eq!(random_name().split('-').count(), 3);
        assert_ne!(random_name(), random_name());
    }
}
