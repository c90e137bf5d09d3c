//! A byte-level BPE tokenizer, trained on the stories.

use anyhow::{Result, anyhow};
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

/// Rows of the embedding.
// 3 special tokens, 256 bytes and 253 merges.
pub const VOCAB: usize = 512;
/// Ids of the special tokens, in this order.
pub const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];

/// Trains on stories separated by empty lines and returns the tokenizer.json.
pub fn train(corpus: &str) -> Result<String> {
    let wrong = |e: tokenizers::Error| anyhow!("{e}");
    let mut tokenizer = Tokenizer::new(BPE::default());
    // No space is put before the first word, so that a text decodes to itself.
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    // Texts begin with the token in training, so they do in use.
    let mut begin = TemplateProcessing::builder();
    begin.try_single("<s> $A").map_err(|e| anyhow!(e))?;
    begin.try_pair("<s> $A $B:1").map_err(|e| anyhow!(e))?;
    begin.special_tokens(vec![("<s>", 1)]);
    tokenizer.with_post_processor(Some(begin.build()?));
    tokenizer.with_decoder(Some(ByteLevelDecoder::default()));
    let bpe = BpeTrainer::builder()
        .vocab_size(VOCAB)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(SPECIAL.iter().map(|&t| AddedToken::from(t, true)).collect())
        // All bytes, so that no text is unknown to the tokenizer.
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    tokenizer.train(&mut TrainerWrapper::from(bpe), corpus.split("\n\n")).map_err(wrong)?;
    tokenizer.to_string(true).map_err(wrong)
}
