//! The decoder as burn modules, with a tap before o_proj and one before down_proj.
//!
//! Axes: b sequences, t tokens, d the hidden size. Weights are `(out, in)` as they are stored.

mod activation;
mod attention;
mod block;
mod bytes;
mod decoder;
mod dropout;
mod feed_forward;
mod fits;
mod gates;
mod generate;
mod head;
mod linear;
mod low_rank;
mod outer;
mod parts;
mod positions;
mod sampling;
mod table;
mod transfer;

pub use attention::{Attention, LayerCache, SCORE_BYTES, pairs_per_token};
pub use block::Block;
pub use bytes::{batch_bytes, embedding_bytes, largest_layer_bytes, logit_bytes, widths};
pub use decoder::{Decoder, KvCache};
pub use dropout::Dropout;
use feed_forward::FeedForward;
pub use fits::{fits, pieces};
pub use gates::Gates;
pub use generate::{Stop, generate};
pub use head::Head;
pub use linear::{Linear, RmsNorm};
pub use low_rank::LowRank;
pub use outer::{Outer, logit_rows, token_tensor};
pub use positions::Positions;
pub use sampling::{Sampler, SamplerOptions, likeliest, penalise, probabilities};
pub use table::Table;
pub use transfer::{flat, upload};
