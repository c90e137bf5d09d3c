//! `slimgpt export`.

mod widths;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;
use slimgpt::export::gguf::{self, FileType};
use slimgpt::export::huggingface::left_behind;
use slimgpt::export::{mlx, modelfile, padded};
use slimgpt::format;
use slimgpt::names::Named;

use super::arguments::AdapterArgument;
use super::choice::choice;
use super::exit::named;
use super::hub::{Given, Online};
use super::progress::counting;
use super::{arguments, out};

pub use widths::{hint_at_fallbacks, hint_at_widths};

const EXAMPLES: &str = "\
Examples:
  slimgpt export gguf ./slim --out slim.gguf
  slimgpt export gguf ./slim --out slim-q4.gguf --dtype q4_k_m
  slimgpt export mlx ./slim --out ./slim-mlx
  slimgpt export padded ./slim --out ./slim-padded

Which program opens what: slimgpt inspect --compat ./slim";

const GGUF_EXAMPLES: &str = "\
Examples:
  slimgpt export gguf ./slim --out slim.gguf
  slimgpt export gguf ./slim --out slim-q4.gguf --dtype q4_k_m
  llama-cli -m slim-q4.gguf -fa on         -fa on saves the memory of the smaller key/value cache
  slimgpt export gguf ./slim --out slim.gguf --modelfile
  ollama create slim -f slim.Modelfile

The tokenizer of the folder goes into the file. Layers that differ become architecture deci (openelm for
Qwen3 with a tied head), others llama, qwen2 or qwen3; SmolLM3, OLMo 2, Granite and Gemma have architectures
of their own, for layers that are alike; what llama.cpp would compute otherwise is refused.
Which matrix gets which blocks is what llama-quantize would choose without an importance matrix. Rows are cut
into blocks of 256 (k-quants) or 32: widths that are no multiple keep more bits, which is told before anything
is written and which prune --channel-multiple 256 avoids.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Export {
    #[command(subcommand)]
    target: Target,
}

#[derive(Subcommand)]
enum Target {
    /// One file for llama.cpp, LM Studio, llama-cpp-python, koboldcpp …
    #[command(after_long_help = GGUF_EXAMPLES)]
    Gguf {
        #[command(flatten)]
        places: Places,
        /// What the matrices are stored in; by default the checkpoint's element types
        #[arg(long, value_name = "TYPE", value_parser = choice::<FileType>())]
        dtype: Option<FileType>,
        /// Write a Modelfile beside it too, by which Ollama takes it in
        #[arg(long)]
        modelfile: bool,
    },
    /// A folder for mlx-lm, in the form of OpenELM
    Mlx {
        #[command(flatten)]
        places: Places,
    },
    /// A plain folder with all layers of one size, filled up with zeros, for whatever knows only those
    Padded {
        #[command(flatten)]
        places: Places,
    },
}

#[derive(Args)]
struct Places {
    /// Folder of a checkpoint, dense or pruned, a GGUF file, or a name on the hub (org/name)
    model: PathBuf,
    #[command(flatten)]
    adapter: AdapterArgument,
    /// What to make
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace OUT if it is such a file or folder
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    online: Online,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Export {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let (Target::Gguf { places, .. } | Target::Mlx { places } | Target::Padded { places }) = &mut self.target;
        let (online, models, json) = (places.online, vec![&mut places.model], places.json);
        Given { adapter: Some(places.adapter.folder_mut()), ..Given::of(online, models, json) }
    }

    pub fn run(&self) -> Result<()> {
        match &self.target {
            Target::Gguf { places, dtype, modelfile } => to_gguf(places, *dtype, *modelfile),
            Target::Mlx { places } => to_mlx(places),
            Target::Padded { places } => to_padded(places),
        }
    }
}

fn to_gguf(places: &Places, dtype: Option<FileType>, modelfile: bool) -> Result<()> {
    if modelfile {
        // What would be refused at the end is asked first.
        named("--modelfile", modelfile::place(&places.out).ask(std::slice::from_ref(&places.model)))?;
    }
    let checkpoint = places.adapter.on(arguments::open_weights(&places.model)?)?;
    // Before anything is written: whoever wants other widths has lost no time.
    dtype.map_or(Ok(()), |dtype| hint_at_fallbacks(checkpoint.config(), dtype))?;
    let options = gguf::Options { dtype, overwrite: places.overwrite };
    let written = gguf::export(&checkpoint, &places.out, options, &mut counting("writing", places.json))?;
    let modelfile = modelfile.then(|| modelfile::write(&places.out)).transpose()?;
    if places.json {
        return out::json(&json!({
            "out": out::path(&places.out), "architecture": written.arch.name(), "dtype": written.dtype.name(), "bytes": written.bytes,
            "tensors": written.tensors, "modelfile": modelfile.as_deref().map(out::path),
        }));
    }
    out::line(told(&places.out, &written))?;
    if let Some(modelfile) = modelfile {
        out::line(format_args!("{}: for ollama create NAME -f", modelfile.display()))?;
    }
    // Of a mixture it was said before.
    if !written.dtype.is_mixture() {
        hint_at_widths(checkpoint.config());
    }
    Ok(())
}

/// What a GGUF file is and holds, in a line.
pub fn told(file: &Path, written: &gguf::Summary) -> String {
    let gguf::Summary { arch, dtype, bytes, tensors } = written;
    let (file, bytes) = (file.display(), format::bytes(*bytes));
    format!("{file}: architecture {}, {tensors} tensors, {bytes} in {dtype}", arch.name())
}

/// Names what stays behind of a model's files.
pub fn hint_at_links(model: &Path) {
    for name in left_behind(model) {
        out::note(format_args!(
            "note: {} is a link out of the model's folder, so it is not copied; put the file itself there if it is the model's",
            model.join(name).display()
        ));
    }
}

fn to_mlx(places: &Places) -> Result<()> {
    let checkpoint = places.adapter.on(arguments::open_weights(&places.model)?)?;
    hint_at_links(&places.model);
    mlx::export(&checkpoint, &places.out, places.overwrite, &mut counting("writing", places.json))?;
    if places.json {
        return out::json(&json!({ "out": out::path(&places.out), "model_type": "openelm" }));
    }
    Ok(out::line(format_args!("{}: open it with mlx_lm.load or mlx_lm.generate --model", places.out.display()))?)
}

fn to_padded(places: &Places) -> Result<()> {
    let checkpoint = places.adapter.on(arguments::open_weights(&places.model)?)?;
    hint_at_links(&places.model);
    let written = padded::export(&checkpoint, &places.out, places.overwrite, &mut counting("writing", places.json))?;
    if places.json {
        return out::json(&json!({
            "out": out::path(&places.out), "layer": written.layer, "parameters_before": written.parameters_before,
            "parameters_after": written.parameters_after, "bytes_before": written.bytes_before,
            "bytes_after": written.bytes_after,
        }));
    }
    Ok(out::line(padded_line(&places.out, written))?)
}

fn padded_line(out: &Path, summary: padded::Summary) -> String {
    let padded::Summary { layer, parameters_before, parameters_after, bytes_before, bytes_after } = summary;
    format!(
        "{}: every layer has {} query heads on {} key/value heads and {} channels\n\
         the zeros cost {}: {} → {} parameters, {} → {}",
        out.display(),
        layer.heads,
        layer.kv_heads,
        layer.channels,
        format::percent(parameters_after as f64 / parameters_before as f64 - 1.0),
        format::count(parameters_before),
        format::count(parameters_after),
        format::bytes(bytes_before),
        format::bytes(bytes_after),
    )
}
