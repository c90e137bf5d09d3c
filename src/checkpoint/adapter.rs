//! Low-rank adapters (LoRA, arXiv 2106.09685) as `peft` keeps them: `adapter_config.json` and
//! `adapter_model.safetensors`. They are multiplied out and added to the weights that are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::folder::tensors;
use super::{HostTensor, LayerWeights, ReadError};
use crate::disk;
use crate::shape::{ModelConfig, Part, Projection};

/// An adapter that was read.
pub struct Adapter {
    folder: Option<PathBuf>,
    scale: f64,
    rank: usize,
    /// By layer, with A and B.
    factors: Vec<Vec<(Projection, [HostTensor; 2])>>,
}

impl Adapter {
    /// The file that says what an adapter is.
    pub const CONFIG: &'static str = "adapter_config.json";
    /// The file of its factors.
    pub const FACTORS: &'static str = "adapter_model.safetensors";

    /// What peft calls a factor (`A` or `B`) of a projection.
    pub fn name(layer: usize, projection: Projection, factor: char) -> String {
        let module = Part::Weight(projection).to_string();
        let module = module.trim_end_matches(".weight");
        format!("base_model.model.model.layers.{layer}.{module}.lora_{factor}.weight")
    }

    /// The folder that it was read from, if it was.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The model that the adapter in `folder` was trained on: a path, or a name on the hub with its revision; `None`
    /// where it does not say so.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub(super) fn base(folder: &Path) -> Result<Option<String>, ReadError> {
        let config = read_settings(folder)?;
        let text = |key: &str| config[key].as_str().filter(|text| !text.is_empty());
        let Some(base) = text("base_model_name_or_path") else { return Ok(None) };
        Ok(Some(text("revision").map_or_else(|| base.to_owned(), |revision| format!("{base}@{revision}"))))
    }

    /// Reads the adapter in `folder`, which is for a model of these sizes.
    ///
    /// # Errors
    /// When it cannot be read, is of a kind that is not known, or does not fit the model.
    pub(super) fn open(folder: &Path, model: &ModelConfig) -> Result<Self, ReadError> {
        let wrong = |reason: String| ReadError::Adapter { folder: folder.to_owned(), reason };
        let config = read_settings(folder)?;
        let (rank, scale) = shape_of(&config).map_err(wrong)?;
        let factors = tensors(&folder.join(Self::FACTORS))?;
        let read = Self::of(factors, rank, scale, model).map_err(wrong)?;
        Ok(Self { folder: Some(folder.to_owned()), ..read })
    }

    /// An adapter of factors by their names in `peft`, for a model of these sizes.
    ///
    /// # Errors
    /// In words, when one is missing, is of another size, or belongs nowhere.
    pub fn of(
        mut left: BTreeMap<String, HostTensor>,
        rank: usize,
        scale: f64,
        model: &ModelConfig,
    ) -> Result<Self, String> {
        let mut factors = Vec::new();
        for (layer, &shape) in model.layers.iter().enumerate() {
            let mut own = Vec::new();
            for projection in Projection::ALL {
                let [out, input] = projection.axes().map(|axis| axis.entries(model, shape));
                let names = [('A', [rank, input]), ('B', [out, rank])];
                let found = names.map(|(factor, shape)| (left.remove(&Self::name(layer, projection, factor)), shape));
                match found {
                    [(None, _), (None, _)] => {}
                    [(Some(a), wants_a), (Some(b), wants_b)] if a.shape == wants_a && b.shape == wants_b => {
                        own.push((projection, [a, b]));
                    }
                    [(Some(a), wants_a), (Some(b), wants_b)] => {
                        return Err(format!(
                            "layer {layer}, {projection}: its factors are {:?} and {:?}, but {wants_a:?} and {wants_b:?} fit",
                            a.shape, b.shape
                        ));
                    }
                    _ => return Err(format!("layer {layer}, {projection}: one of its two factors is missing")),
                }
            }
            factors.push(own);
        }
        match left.keys().next() {
            Some(name) => Err(format!("it has {name}, for which the model has no place")),
            None => Ok(Self { folder: None, scale, rank, factors }),
        }
    }

    /// A layer with the adapter in it.
    pub(super) fn merged(&self, layer: usize, mut weights: LayerWeights) -> LayerWeights {
        for (projection, [a, b]) in &self.factors[layer] {
            let part = Part::Weight(*projection);
            let found = weights.iter_mut().find(|(other, _)| *other == part);
            if let Some((_, tensor)) = found {
                tensor.add_product(&b.values, &a.values, self.rank, self.scale);
            }
        }
        weights
    }
}

fn read_settings(folder: &Path) -> Result<Value, ReadError> {
    let config = disk::read_within(&folder.join(Adapter::CONFIG), disk::REPORT)?;
    serde_json::from_slice(&config).map_err(|e| ReadError::Adapter {
        folder: folder.to_owned(),
        reason: format!("{} is no JSON: {e}", Adapter::CONFIG),
    })
}

/// Rank and scale of an adapter, if it is of a kind that is merged as it says.
fn shape_of(config: &Value) -> Result<(usize, f64), String> {
    if config["peft_type"] != "LORA" {
        return Err(format!("its peft_type is {}, and LORA is what is read", config["peft_type"]));
    }
    for key in ["use_dora", "fan_in_fan_out"] {
        if config[key] == true {
            return Err(format!("its {key} is true, which is not read"));
        }
    }
    for key in ["rank_pattern", "alpha_pattern", "modules_to_save"] {
        let is_empty = match &config[key] {
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            other => other.is_null(),
        };
        if !is_empty {
            return Err(format!("its {key} is {}, which is not read", config[key]));
        }
    }
    let rank = config["r"].as_u64().and_then(|rank| usize::try_from(rank).ok()).filter(|&rank| rank > 0);
    let rank = rank.ok_or_else(|| format!("its r is {}", config["r"]))?;
    let alpha = config["lora_alpha"].as_f64().ok_or_else(|| format!("its lora_alpha is {}", config["lora_alpha"]))?;
    // rsLoRA (arXiv 2312.03732) divides by the root of the rank.
    let by = if config["use_rslora"] == true { (rank as f64).sqrt() } else { rank as f64 };
    Ok((rank, alpha / by))
}
