//! Whether the output head is the embedding: config.json's flag says so, but what is stored
//! decides. Fine-tuning changes a head and leaves the flag; some tools store only one of the two.

use serde_json::Value;

use super::names::{EMBEDDING, HEAD};
use super::shard::Shard;

const FLAG: &str = "tie_word_embeddings";

/// What the files hold of embedding and head, under the names that are read.
pub(super) struct Head {
    /// Whether the model computes its head with the embedding.
    pub tied: bool,
    /// What a person should know: files and flag contradict each other.
    pub note: Option<String>,
}

impl Head {
    /// Looks at the files as transformers 5 does. Where a tied pair is stored as the head alone,
    /// it is renamed to the embedding.
    pub fn find(config: &Value, shards: &mut [Shard]) -> Self {
        let has = |name: &str| shards.iter().position(|shard| shard.has(name));
        let (embedding, head) = (has(EMBEDDING), has(HEAD));
        // Some folders say nothing of tying and leave the head out.
        let flag = config[FLAG].as_bool().unwrap_or(head.is_none());
        match (flag, embedding, head) {
            (true, None, Some(head)) => {
                shards[head].rename(HEAD, EMBEDDING);
                Self { tied: true, note: None }
            }
            (true, Some(embedding), Some(head)) if !shards[embedding].is_same(EMBEDDING, &shards[head], HEAD) => {
                let note = format!(
                    "config.json sets {FLAG}, but {HEAD} is there and differs from {EMBEDDING}: the head is used, as \
                     transformers 5 uses it"
                );
                Self { tied: false, note: Some(note) }
            }
            (true, Some(_), None) if config[FLAG].is_null() => {
                let note = format!(
                    "config.json says nothing of {FLAG} and no {HEAD} is stored: the embedding is taken as the head"
                );
                Self { tied: true, note: Some(note) }
            }
            _ => Self { tied: flag, note: None },
        }
    }
}
