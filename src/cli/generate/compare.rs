//! Two models continue one prompt: side by side where the terminal is wide, else one after the other.

use std::path::PathBuf;

use anyhow::Result;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::json;
use slimgpt::device::Device;
use slimgpt::{beside, disk};

use super::{Continuation, Generate, Usage, Writer, interrupted, with_device};
use crate::cli::interrupt::Interrupt;
use crate::cli::{out, progress};

/// A column narrower than half of this is no pleasure to read.
const WIDE: u16 = 100;

impl Generate {
    /// Continues with both models, one after the other, so that one at a time is in memory.
    pub(super) fn compare(&self) -> Result<()> {
        let [dense, pruned] = self.two_models()?;
        let text = self.prompt.text()?;
        // Both are opened and checked before the first is loaded.
        let mut writers = [self.prompt.open(&dense, &text)?, self.prompt.open(&pruned, &text)?];
        let same_tokenizer = same(&dense, &pruned);
        if !same_tokenizer && !self.json {
            out::note(format_args!(
                "note: the two have different tokenizers, so their tokens and tokens/s do not compare one to one"
            ));
        }
        let device = self.device.open()?;
        let interrupt = Interrupt::listen_saying("stopping");
        let mut written = Vec::new();
        for writer in &mut writers {
            // What the first wrote is still shown.
            if !interrupt.is_pressed() {
                written.push(self.continuation(writer, &device, &interrupt)?);
                writer.unload();
                // The allocator keeps what was freed until it is told to let go.
                device.release_unused();
            }
        }
        if self.json {
            let all = json!({ "models": written, "same_tokenizer": same_tokenizer });
            out::json(&with_device(all, &device))?;
        } else {
            self.show_all(&writers[0], &written, &device)?;
        }
        interrupted(&interrupt)
    }

    fn two_models(&self) -> Result<[PathBuf; 2]> {
        let all: Vec<PathBuf> = self.model.iter().chain(&self.compare).cloned().collect();
        let given = all.len();
        all.try_into().map_err(|_| {
            let form = "give --compare DENSE PRUNED, or DENSE --compare PRUNED";
            Usage(format!("--compare takes two models, and {given} are given; {form}")).into()
        })
    }

    fn continuation(&self, writer: &mut Writer, device: &Device, interrupt: &Interrupt) -> Result<Continuation> {
        writer.load(device, &mut progress::counting("loading", self.json))?;
        let mut bar = progress::counting("tokens", self.json);
        let mut done = 0;
        let written = writer.write(&self.limit(), &mut self.draw.sampler(), &mut |_| {
            // The last call hands over what was held back, and is no token.
            done = (done + 1).min(self.max_tokens);
            bar(done, self.max_tokens);
            !interrupt.is_pressed()
        })?;
        // A text may end early; only a full bar is cleared.
        bar(self.max_tokens, self.max_tokens);
        Ok(written)
    }

    fn show_all(&self, writer: &Writer, written: &[Continuation], device: &Device) -> Result<()> {
        let prompt = writer.prompt().shown();
        if !prompt.is_empty() {
            out::line(format_args!("{prompt}\n"))?;
        }
        // Without a terminal there is no width, and columns would have to guess one.
        match (Table::new().width().filter(|&width| width >= WIDE), written) {
            (Some(width), [dense, pruned]) => out::line(columns([dense, pruned], width))?,
            _ => one_after_the_other(written)?,
        }
        for written in written {
            out::note(format_args!("{}: {written}, on {}", written.model, device.name()));
        }
        Ok(())
    }
}

/// Whether two models have the same tokenizer, byte for byte.
fn same(a: &std::path::Path, b: &std::path::Path) -> bool {
    let read = |model: &std::path::Path| beside::read_within(model, "tokenizer.json", disk::TOKENIZER).ok();
    // By what is in them: a pruned folder has a copy of the dense one's.
    read(a) == read(b)
}

fn columns(both: [&Continuation; 2], width: u16) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::DynamicFullWidth);
    table.set_width(width).set_header(both.map(|w| out::visible(&w.model)));
    // Line ends around a text would make its row higher and show nothing.
    // Escaped here, because the table breaks lines by the width of what it is given.
    table.add_row(both.map(|w| out::visible(w.text.trim_matches('\n'))));
    table.add_row(both.map(|w| format!("{:.1} tokens/s", w.tokens_per_second)));
    table
}

fn one_after_the_other(written: &[Continuation]) -> Result<()> {
    for Continuation { model, text, tokens_per_second, .. } in written {
        out::line(format_args!("{model} ({tokens_per_second:.1} tokens/s):\n{}\n", text.trim_matches('\n')))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::generate::writer::Ended;

    #[test]
    fn the_columns_fill_the_width_and_hold_both_texts() {
        let written = |model: &str, text: &str| Continuation {
            model: model.into(),
            text: text.into(),
            tokens: 9,
            prompt_tokens: 3,
            seconds: 1.0,
            first_token_seconds: None,
            tokens_per_second: 9.0,
            stopped_by: Ended::MaxTokens,
        };
        let (dense, pruned) = (written("dense", &"left ".repeat(60)), written("slim", &"right ".repeat(30)));
        let table = columns([&dense, &pruned], 100).to_string();
        assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
        assert_eq!((table.matches("left").count(), table.matches("right").count()), (60, 30));
        assert_eq!(table.matches("9.0 tokens/s").count(), 2);
    }
}
