//! A folder of low-rank factors for the shipped model.

use std::fs;
use std::path::Path;

use slimgpt::checkpoint::{Adapter, Dtype, HostTensor, encode_tensors};
use slimgpt::shape::Projection;

/// Writes factors to a new folder, which name their model by `base`.
pub fn write_adapter(to: &Path, base: &str) {
    fs::create_dir(to).unwrap();
    let settings = serde_json::json!({ "peft_type": "LORA", "r": 1, "lora_alpha": 1, "base_model_name_or_path": base });
    fs::write(to.join(Adapter::CONFIG), settings.to_string()).unwrap();
    // Of the first layer's queries: a column and a row of 128.
    let ones = |shape: [usize; 2]| HostTensor { shape: shape.into(), values: vec![0.05; 128] };
    let (a, b) = (ones([1, 128]), ones([128, 1]));
    let named =
        [('A', &a), ('B', &b)].map(|(letter, tensor)| (Adapter::name(0, Projection::Q, letter), tensor, Dtype::F32));
    fs::write(to.join(Adapter::FACTORS), encode_tensors(&named).unwrap()).unwrap();
}
