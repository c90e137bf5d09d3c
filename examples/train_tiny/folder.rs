//! The folder that the repository ships: a Hugging Face checkpoint and two texts.

use std::path::Path;

use anyhow::Result;
use pollster::block_on;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Dtype, Types, assemble, encode_layer, encode_outer};
use slimgpt::model::Decoder;
use slimgpt::shape::Family;

use crate::stories::corpus;
use crate::tokenizer::VOCAB;

/// Seeds of the texts: what the model is calibrated and judged on, it was not trained on.
const CALIBRATION_SEED: u64 = 1001;
const EVALUATION_SEED: u64 = 2002;

/// config.json of the tiny model.
pub fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 128,
        "intermediate_size": 352,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 16,
        "vocab_size": VOCAB,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": true,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float16"
    })
}

/// Writes config, tokenizer and the two texts.
pub fn write_texts(folder: &Path, tokenizer_json: &str) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text);
    write("config.json", format!("{:#}\n", config()))?;
    write("generation_config.json", format!("{:#}\n", json!({ "bos_token_id": 1, "eos_token_id": 2 })))?;
    let tokenizer_config = json!({ "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "model_max_length": 512 });
    write("tokenizer_config.json", format!("{tokenizer_config:#}\n"))?;
    write("tokenizer.json", tokenizer_json.to_owned())?;
    write("calibration.txt", corpus(CALIBRATION_SEED, 300_000))?;
    write("eval.txt", corpus(EVALUATION_SEED, 80_000))?;
    Ok(())
}

/// Writes the weights in half precision.
pub fn write_weights(folder: &Path, decoder: &Decoder) -> Result<()> {
    let (parts, types) = (folder.join("parts"), Types::all(Dtype::F16));
    std::fs::create_dir_all(&parts)?;
    let mut files = vec![parts.join("outer.safetensors")];
    std::fs::write(&files[0], encode_outer(&block_on(decoder.outer.to_host())?, &types)?)?;
    for (i, block) in decoder.blocks.iter().enumerate() {
        let file = parts.join(format!("layer-{i}.safetensors"));
        std::fs::write(&file, encode_layer(i, &block_on(block.to_host())?, Family::Llama, &types)?)?;
        files.push(file);
    }
    // One shard, however large it is.
    assemble(&files, folder, usize::MAX)?;
    std::fs::remove_dir_all(parts)?;
    Ok(())
}
