//! Every kernel by itself on the software adapter, at the sizes where workgroups, tiles and launches
//! end, held entry by entry to f64 on the host. The steps of a removal, which nothing outside
//! can launch alone, are tested beside their host file.

mod attend;
mod blocks;
mod dropout;
mod gather;
mod halves;
mod hessian;
mod panels;
mod products;
mod reduce;
mod units;

#[path = "../support/mod.rs"]
mod support;

use support::rounding::{assert_within, gamma};

#[test]
fn the_comparison_notices_a_small_entry_beside_a_large_one() {
    let close = |got: &'static [f64]| {
        let want = [1e6, 1e-3];
        std::panic::catch_unwind(|| assert_within(got, &want, |i| gamma(4) * want[i], "two")).is_ok()
    };
    assert!(close(&[1e6, 1e-3]) && close(&[1e6 + 0.1, 1e-3]));
    assert!(!close(&[1e6, 1.1e-3]) && !close(&[1e6, f64::NAN]) && !close(&[1e6]));
}
