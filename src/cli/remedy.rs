//! Remedies in the words of the command line: the only place that tells which flag helps.

use slimgpt::compare::CompareError;
use slimgpt::remedy::{Remedied, Remedy};
use slimgpt::session::remedy_of;

/// What to type instead, for the first cause that knows a remedy.
pub fn words(error: &anyhow::Error) -> Option<String> {
    // A CompareError has its cause in a field and not as its source, where the chain would show it.
    let compared = error.downcast_ref().and_then(CompareError::remedy);
    compared.or_else(|| error.chain().find_map(remedy_of)).map(flags)
}

pub(super) fn flags(remedy: Remedy) -> String {
    match remedy {
        Remedy::SayHowMuch => {
            "give --target 0.2, --target-params 5.4B, --target-bytes 10GB, --shape kv_heads=2, or a --schedule file with one entry for each layer".into()
        }
        Remedy::RemoveLess => {
            "lower the target, raise --first-ratio so that the other layers lose more, or use --rounding model".into()
        }
        Remedy::ShareEvenly => {
            "remove less (a smaller --target, a larger --target-params or --target-bytes), or try --schedule uniform".into()
        }
        Remedy::WholeSites => {
            "allow it with --whole-sites (`slimgpt inspect --compat PATH` then tells which programs open the result)".into()
        }
        Remedy::WholeGroups => "use --heads kv".into(),
        Remedy::KeepHeads => "use --head-ratio 0".into(),
        Remedy::OtherMethod => "use another --method, or a model of LLaMA's layout".into(),
        Remedy::UsualDamping => "give --damping 0.01".into(),
        // Whole MiB, rounded up: what is told to be enough is enough.
        // On the CPU it would hold too.
        Remedy::AllowMemory(bytes) => {
            format!("give --memory {}MiB, or leave it out and use --device cpu", bytes.div_ceil(1 << 20))
        }
        Remedy::LearnLess => {
            "use a smaller --micro-batch or --batch, a shorter --seq-len, or --train lora with a smaller --lora-rank".into()
        }
        Remedy::Windows(windows) => format!("use --samples {windows}"),
        Remedy::WindowTokens(tokens) => format!("use --seq-len {tokens} or --device cpu"),
        Remedy::Stride(tokens) => format!("use --stride {tokens} or less, or a longer --seq-len"),
        Remedy::MoreTokensOrDamping => "use more calibration tokens (--samples, --seq-len) or more --damping".into(),
        Remedy::LessAtOnce => "use --device cpu, or a shorter --seq-len where the command has it".into(),
        Remedy::MoreText => "give more text, or ask for less with --samples, --windows or --seq-len".into(),
        Remedy::LessText => {
            "give a smaller file, or take from its beginning with --sampling sequential, --documents or --windows".into()
        }
        Remedy::TextKey => "name the right key with --text-key".into(),
        Remedy::NoBegin => "use --bos none".into(),
        Remedy::WindowProtocol => "use --protocol window".into(),
        Remedy::NoChat => "write the prompt out and leave --chat away".into(),
        Remedy::SkipRows => "correct them, or leave them out with --skip-bad-rows".into(),
        Remedy::WiderType => "use the next wider --dtype: bf16 after f16, f32 after bf16".into(),
        Remedy::WiderTypeAfresh => "start afresh with the next wider --dtype (bf16 after f16, f32 after bf16), and --overwrite".into(),
        Remedy::WiderActivations => "start afresh with --activations f32, and --overwrite".into(),
        Remedy::OtherPlace => "choose another --out".into(),
        Remedy::Replace => "choose another --out, or replace it with --overwrite".into(),
        Remedy::StartAfresh => {
            "repeat the command that began it to go on, choose another --out, or start afresh with --overwrite".into()
        }
        Remedy::MeasureTimes => {
            "measure this model on this device with `slimgpt bench MODEL --times FILE`, and search with --times FILE (`slimgpt search`, or --schedule search)".into()
        }
        Remedy::Online => "leave --offline out and HF_HUB_OFFLINE unset, once".into(),
        Remedy::GetBase => {
            "download it (`slimgpt inspect MODEL` with its name does), or give it in the place of MODEL and the factors' folder as --adapter DIR".into()
        }
        Remedy::Cpu => "use --device cpu".into(),
        Remedy::OtherDevice => "use --device cpu, or another adapter of `slimgpt devices`".into(),
    }
}
