//! Parts of a target, which rounds of a search take one after the other.

use slimgpt::allocate::Target;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::search::{Bounds, part_of};

use crate::support::shipped;

#[test]
fn a_part_of_a_target_takes_that_share_of_what_goes() {
    let config = Checkpoint::open(&shipped()).unwrap().config().clone();
    let all = config.parameters();
    for target in [Target::Ratio(0.3), Target::Parameters(all - 100_000)] {
        let gone = |share| match part_of(target, &config, &Bounds::default(), share).unwrap() {
            Target::Parameters(left) => all - left,
            other => panic!("{other}"),
        };
        assert!((2 * gone(0.5)).abs_diff(gone(1.0)) <= 1, "{} of {}", gone(0.5), gone(1.0));
    }
    assert!(part_of(Target::Ratio(1.5), &config, &Bounds::default(), 0.5).is_err());
}
