//! Notes about rows that blocks do not divide: what is stored instead, and what helps.

use anyhow::Result;
use slimgpt::export::gguf::{self, Fallback, FileType};
use slimgpt::shape::{Axis, ModelConfig};

use crate::cli::out;

/// Says which matrices get other blocks than a GGUF of this type has for them.
pub fn hint_at_fallbacks(config: &ModelConfig, dtype: FileType) -> Result<()> {
    let all = gguf::fallbacks(config, dtype)?;
    // A file may have blocks of both sizes.
    for block in [256, 32] {
        for along in [Axis::Hidden, Axis::Heads, Axis::Channels] {
            let own = all.iter().filter(|f| f.along == along && f.wanted.elements() == block);
            let own: Vec<&Fallback> = own.collect();
            if !own.is_empty() {
                out::note(format_args!("note: {}{}", told(&own, block), remedy(along, block)));
            }
        }
    }
    Ok(())
}

/// "rows of ffn_down are 1088 to 1312 wide, no multiple of 256: q5_0 instead of q4_k there".
fn told(fallbacks: &[&Fallback], block: usize) -> String {
    let names = distinct(fallbacks.iter().map(|f| f.name.clone()));
    let instead = distinct(fallbacks.iter().map(|f| format!("{} instead of {}", f.stored, f.wanted)));
    let widths = || fallbacks.iter().flat_map(|f| f.widths.iter().copied());
    let (least, most) = (widths().min().unwrap_or_default(), widths().max().unwrap_or_default());
    let wide = if least == most { most.to_string() } else { format!("{least} to {most}") };
    format!("rows of {names} are {wide} wide, no multiple of {block}: {instead} there")
}

fn remedy(along: Axis, block: usize) -> String {
    match along {
        Axis::Channels => format!("; prune --channel-multiple {block} avoids it"),
        // Nothing that can be asked for changes these.
        Axis::Heads | Axis::KvHeads | Axis::HeadDim => "; they follow from whole heads".into(),
        Axis::Hidden => "; that is the width of the model, which pruning leaves".into(),
    }
}

/// Each text once, in their order, with commas between them.
fn distinct(texts: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for text in texts {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all.join(", ")
}

/// Says which widths cost bits when the model is quantised later.
pub fn hint_at_widths(config: &ModelConfig) {
    for (block, quantisers) in [(256, "k-quants (q4_k_m and others)"), (32, "q8_0 and q4_0")] {
        let uneven = gguf::uneven_rows(config, block);
        if uneven.is_empty() {
            continue;
        }
        let widths: Vec<String> = uneven.iter().take(3).map(|(name, width)| format!("{name} {width}")).collect();
        let more = if uneven.len() > 3 { ", …" } else { "" };
        // From k-quants to q5_0, q5_1 or q8_0, whose blocks have 32 weights, and from those to f16.
        let keeps =
            if block == 32 { "16 bits for each weight" } else { "5 to 8 bits instead of 4 to 6 for each weight" };
        // Widths of attention follow from whole heads, which no multiple can change.
        let has_channels = uneven.iter().any(|(name, _)| name.ends_with("ffn_down.weight"));
        let remedy =
            if has_channels { format!("{} for channels", remedy(Axis::Channels, block)) } else { String::new() };
        out::note(format_args!(
            "note: {} rows are no multiple of {block} wide ({}{more}): {quantisers} of GGUF keep {keeps} there{remedy}",
            uneven.len(),
            widths.join(", "),
        ));
    }
}

#[cfg(test)]
mod tests {
    use slimgpt::quant::BlockType;

    use super::*;

    #[test]
    fn matrices_of_one_kind_are_told_in_one_sentence() {
        let fallback = |name: &str, widths: &[usize], wanted, stored| Fallback {
            name: name.into(),
            wanted,
            stored,
            widths: widths.to_vec(),
            along: Axis::Channels,
        };
        let first = fallback("ffn_down", &[1088, 1312], BlockType::Q4K, BlockType::Q5_0);
        let second = fallback("ffn_down", &[1120], BlockType::Q6K, BlockType::Q8_0);
        assert_eq!(
            told(&[&first, &second], 256),
            "rows of ffn_down are 1088 to 1312 wide, no multiple of 256: q5_0 instead of q4_k, q8_0 instead of q6_k there"
        );
        assert!(remedy(Axis::Channels, 256).contains("--channel-multiple 256"));
    }
}
