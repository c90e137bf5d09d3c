//! Errors in the words of this window: what happened, and which of its controls helps.

use std::error::Error;

use slimgpt::remedy::Remedy;
use slimgpt::session::remedy_of;

/// What an error says, and what to do here about it.
pub fn told(error: impl Error + 'static) -> String {
    match remedy_of(&error).map(words) {
        Some(remedy) => format!("{error}; {remedy}"),
        None => error.to_string(),
    }
}

fn words(remedy: Remedy) -> String {
    match remedy {
        Remedy::SayHowMuch => "choose a target".into(),
        Remedy::RemoveLess => "lower the target, raise the ratio of the first layer, or round the whole model".into(),
        Remedy::ShareEvenly => "remove less, or choose the schedule uniform".into(),
        Remedy::WholeSites => "keep a head and a channel in every layer".into(),
        Remedy::WholeGroups => "let whole key/value heads go".into(),
        Remedy::KeepHeads => "let no heads go".into(),
        Remedy::OtherMethod => "choose a model of LLaMA's layout".into(),
        Remedy::UsualDamping => "set Damping to 0.01".into(),
        Remedy::MoreTokensOrDamping => "take more Windows, or raise Damping".into(),
        Remedy::AllowMemory(_) | Remedy::Cpu | Remedy::OtherDevice => "choose the device CPU".into(),
        Remedy::LearnLess => "take fewer or shorter sequences in a step, or learn low-rank factors".into(),
        Remedy::Windows(windows) => format!("set Windows to {windows}"),
        Remedy::WindowTokens(tokens) => format!("set Tokens of a window to {tokens}, or choose the device CPU"),
        Remedy::LessAtOnce => "take shorter Windows, or choose the device CPU".into(),
        Remedy::MoreText => "add a text, or take fewer Windows".into(),
        Remedy::LessText => "choose a smaller text".into(),
        Remedy::TextKey => "name the right Key of the text".into(),
        Remedy::NoBegin => "let windows begin without the token".into(),
        Remedy::WiderType => "store it in the next wider type: bf16 after f16, f32 after bf16".into(),
        Remedy::WiderTypeAfresh => {
            "store it in the next wider type (bf16 after f16, f32 after bf16), and check Replace what is there".into()
        }
        Remedy::OtherPlace => "choose another folder".into(),
        Remedy::Replace | Remedy::StartAfresh => "choose another folder, or check Replace what is there".into(),
        Remedy::GetBase => "download it by its name, or put its folder beside this one".into(),
        // What the window does not offer cannot go wrong in it.
        Remedy::Stride(_)
        | Remedy::WindowProtocol
        | Remedy::NoChat
        | Remedy::SkipRows
        | Remedy::Online
        | Remedy::WiderActivations
        | Remedy::MeasureTimes => "use the command line for it".into(),
    }
}

#[cfg(test)]
mod tests {
    use slimgpt::allocate::AllocateError;

    use super::*;

    #[test]
    fn an_error_is_followed_by_what_helps_here() {
        let words = told(AllocateError::NoTarget);
        assert!(words.ends_with("; choose a target") && !words.contains("--"), "{words}");
    }
}
