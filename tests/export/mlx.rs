//! Folders for mlx-lm: names, shapes and values, by the format's own reader.

use safetensors::SafeTensors;
use serde_json::{Value, json};
use slimgpt::export::mlx::export;
use slimgpt::shape::Projection;

use crate::support::assert_says;
use crate::{DIFFERENT, folder, names, nothing, pruned};

fn floats(file: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f32>) {
    let view = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    (view.shape().to_vec(), view.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
}

#[test]
fn tensors_and_sizes_are_openelms() {
    for (family, tied) in [("llama", false), ("qwen3", true)] {
        let place = tempfile::tempdir().unwrap();
        let (source, out) = (place.path().join("model"), place.path().join("mlx"));
        let model = folder(&source, pruned(family, &DIFFERENT, &json!({ "tie_word_embeddings": tied })));
        export(&model, &out, false, &mut nothing).unwrap();
        let config: Value = serde_json::from_slice(&std::fs::read(out.join("config.json")).unwrap()).unwrap();
        assert_eq!(config["model_type"], "openelm");
        assert_eq!(config["num_query_heads"], json!([4, 2, 2]));
        assert_eq!(config["num_kv_heads"], json!([2, 1, 2]));
        assert_eq!(config["ffn_multipliers"], json!([2.5, 33.0 / 16.0, 7.0 / 16.0]));
        assert_eq!(
            (&config["normalize_qk_projections"], &config["share_input_output_layers"]),
            (&json!(tied), &json!(tied))
        );
        let bytes = std::fs::read(out.join("model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        // Embedding, norm, head unless tied; six tensors a layer, and two norms on heads.
        assert_eq!(file.len(), if tied { 2 + 3 * 8 } else { 3 + 3 * 6 });
        let layer = model.layer(1).unwrap();
        let values_of =
            |all: &[Projection]| all.iter().flat_map(|&p| layer.weight(p).values.clone()).collect::<Vec<_>>();
        let (shape, values) = floats(&file, "transformer.layers.1.attn.qkv_proj.weight");
        assert_eq!(shape, [8 + 4 + 4, 16]);
        assert_eq!(values, values_of(&[Projection::Q, Projection::K, Projection::V]));
        let (shape, values) = floats(&file, "transformer.layers.1.ffn.proj_1.weight");
        assert_eq!((shape, values), (vec![66, 16], values_of(&[Projection::Gate, Projection::Up])));
        let (shape, values) = floats(&file, "transformer.layers.1.ffn.proj_2.weight");
        assert_eq!((shape, values), (vec![16, 33], values_of(&[Projection::Down])));
        assert_eq!(names(place.path()), ["mlx", "model"]);
    }
}

#[test]
fn what_openelm_lacks_is_refused_with_a_way_out() {
    let scaling = json!({ "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    } });
    for (family, changes, word) in [("qwen2", json!({}), "biases"), ("llama", scaling, "LLaMA 3.1")] {
        let place = tempfile::tempdir().unwrap();
        let model = folder(&place.path().join("model"), pruned(family, &DIFFERENT, &changes));
        let result = export(&model, &place.path().join("mlx"), false, &mut nothing);
        assert_says(result, &["mlx-lm", word, "slimgpt export padded"]);
        assert_eq!(names(place.path()), ["model"]);
    }
}
