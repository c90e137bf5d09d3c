//! A finished layer as it is kept: what stands beside its weights, and how damage is noticed.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::allocate::LayerPlan;
use crate::disk::{self, DiskError};
use crate::format::hex;
use crate::pipeline::LayerRecord;

/// What `layer-00012.json` holds of a finished layer.
#[derive(Serialize, Deserialize)]
pub(super) struct Sidecar {
    pub seconds: f64,
    pub weights_sha256: String,
    pub record: LayerRecord,
    /// Of all the rest.
    #[serde(default)]
    sha256: String,
}

impl Sidecar {
    pub fn new(seconds: f64, weights: &[u8], record: LayerRecord) -> Self {
        let weights_sha256 = hex(&Sha256::digest(weights));
        let sha256 = digest(seconds, &weights_sha256, &record);
        Self { seconds, weights_sha256, record, sha256 }
    }

    /// Whether it is what was written, and of this layer of the plan.
    pub fn is_whole(&self, layer: usize, plan: &LayerPlan) -> bool {
        self.sha256 == digest(self.seconds, &self.weights_sha256, &self.record) && is_of(&self.record, layer, plan)
    }
}

fn digest(seconds: f64, weights_sha256: &str, record: &LayerRecord) -> String {
    // Numbers, strings and lists of them always have a JSON form, and read back they have the same.
    let text = serde_json::to_vec(&(seconds, weights_sha256, record)).unwrap_or_default();
    hex(&Sha256::digest(text))
}

/// Whether a record tells of this layer of the plan.
fn is_of(record: &LayerRecord, layer: usize, plan: &LayerPlan) -> bool {
    let LayerPlan { before, after, unit, .. } = *plan;
    record.layer == layer && (record.before, record.after, record.unit) == (before, after, unit)
}

/// The SHA-256 of a file, which is not held in memory as a whole.
pub(super) fn sha256_of(path: &Path) -> Result<String, DiskError> {
    let mut file = disk::open(path)?;
    let mut read = || {
        let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hex(&hash.finalize())),
                n => hash.update(&piece[..n]),
            }
        }
    };
    read().map_err(DiskError::at("read", path))
}

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;
