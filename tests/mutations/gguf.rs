//! GGUF files: header, keys and table, and the tokenizer that is made of the keys.

use slimgpt::checkpoint::Checkpoint;
use slimgpt::gguf::{Header, Texts};
use slimgpt::quant::BlockType;
use slimgpt::text::Tokenizer;

use crate::support::checkpoint::{Model, Stored};
use crate::support::gguf::{File, Tensor};
use crate::{Format, Outcome, model};

pub fn formats() -> Vec<Format> {
    vec![weights(), tokenizers()]
}

/// A LLaMA of two layers of 2 heads of 4 dimensions on one, 32 wide: small, so that most mutations hit the
/// header.
fn small(kind: BlockType) -> File {
    let changes = serde_json::json!({
        "hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 8, "num_key_value_heads": 8,
        "num_hidden_layers": 1,
    });
    let file = ["attention.head_count", "attention.head_count_kv"]
        .iter()
        .fold(File::llama(BlockType::F32), |file, key| file.whole(&format!("llama.{key}"), 8))
        .whole("llama.block_count", 1)
        .whole("llama.embedding_length", 32)
        .whole("llama.feed_forward_length", 32)
        .whole("llama.rope.dimension_count", 4);
    let tensors = Model::llama(changes).tensors.iter().map(|tensor: &Stored| Tensor::of(tensor, kind)).collect();
    File { tensors, ..file }
}

/// The whole file; what is accepted must be written with the same numbers.
fn weights() -> Format {
    let mut two = small(BlockType::Q8_0);
    two.version = 2;
    let seeds = [small(BlockType::F16), small(BlockType::Q4_0), two].map(|file| file.bytes());
    Format {
        name: "model.gguf",
        share: 20,
        seeds: seeds.into(),
        is_json: false,
        parts: &[],
        read: Box::new(|file| {
            Checkpoint::from_gguf(file.to_vec()).map_or(Outcome::Refused, |opened| model::written_again(&opened))
        }),
    }
}

/// SentencePiece's kind, of the same letters.
fn scored() -> File {
    let file = small(BlockType::F32).text("tokenizer.ggml.model", "llama");
    let scores: Vec<f32> = (0..32).map(|i| -(i as f32)).collect();
    file.floats("tokenizer.ggml.scores", &scores)
}

/// The header alone, and the tokenizer of its keys.
fn tokenizers() -> Format {
    let header = |file: &File| {
        let mut file = file.clone();
        file.tensors.clear();
        file.bytes()
    };
    Format {
        name: "the tokenizer of a GGUF",
        share: 12,
        seeds: vec![header(&small(BlockType::F32)), header(&scored())],
        is_json: false,
        parts: &["llama", "gpt2", "tekken", "llama-bpe"],
        read: Box::new(|file| {
            let Ok(header) = Header::read(file, file.len() as u64) else { return Outcome::Refused };
            let texts = Texts::from(header);
            let made: Vec<_> = Texts::NAMES.iter().map(|name| texts.get(name)).collect();
            let Some(Ok(Some(json))) = made.into_iter().next() else { return Outcome::Refused };
            let Ok(tokenizer) = Tokenizer::from_bytes(json.as_bytes(), 32) else { return Outcome::Refused };
            for text in ["", "abc ab\n z", "[user]é\u{301}😀\u{0}<s>"] {
                if let Ok(ids) = tokenizer.encode_with_specials(text) {
                    let _ = tokenizer.decode(&ids);
                }
            }
            Outcome::Used
        }),
    }
}
