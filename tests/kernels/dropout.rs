//! The mask is the host's, entry by entry: a pass that is computed again elsewhere drops the same.

use slimgpt::device::Device;
use slimgpt::model::Dropout;

use crate::support::{doubles, software_gpu};

#[test]
fn a_mask_is_that_of_the_host() {
    // Around one workgroup of 64 × 4.
    for dims in [[1, 1], [3, 63], [4, 64], [5, 65], [130, 257]] {
        for (share, seed) in [(0.05, 7), (0.5, u32::MAX), (0.0, 1)] {
            let of = |device: &Device| doubles(Dropout { share, seed }.mask(dims, device.tensor_device()));
            assert_eq!(of(&software_gpu()), of(&Device::cpu()), "{dims:?}, {share}, seed {seed}");
        }
    }
}
