//! A template as the engine's instructions. One of them is exchanged: `~` makes a text of its sides in one
//! go, for which the engine charges only afterwards, when a list that was repeated has filled the memory.

use std::sync::Arc;

use minijinja::machinery::{
    CompiledTemplate, Instruction, Instructions, TemplateConfig, Token, eval, make_string_output, tokenize,
};
use minijinja::{AutoEscape, Environment, Error, Value};

use super::syntax;

/// The function that stands for `~`. No template can call it or put another in its place, because it is
/// no name.
pub(super) const CONCATENATION: &str = "~";

/// What `source` renders.
pub(super) fn render(environment: &Environment<'_>, source: &str, context: Value) -> Result<String, Error> {
    // The text is for a model and not for a page.
    let config = TemplateConfig { syntax_config: syntax()?, default_auto_escape: Arc::new(|_| AutoEscape::None) };
    let mut template = CompiledTemplate::new("chat", source, &config)?;
    charge_concatenations(&mut template.instructions);
    template.blocks.values_mut().for_each(charge_concatenations);
    let mut text = String::with_capacity(template.buffer_size_hint);
    let mut output = make_string_output(&mut text);
    eval(environment, &template.instructions, context, &template.blocks, &mut output, AutoEscape::None)?;
    Ok(text)
}

/// The source with an empty text between the sides of every `~`. It comes from a filter, which is asked when
/// the template is rendered: of constants the engine makes their text when it compiles, where nothing is paid.
pub(super) fn unfolded(source: &str) -> Result<String, Error> {
    let mut unfolded = String::with_capacity(source.len());
    let mut copied = 0;
    for token in tokenize(source, false, syntax()?) {
        let (token, span) = token?;
        if matches!(token, Token::Tilde) {
            let end = span.end_offset as usize;
            unfolded.push_str(&source[copied..end]);
            unfolded.push_str("''|string~");
            copied = end;
        }
    }
    unfolded.push_str(&source[copied..]);
    Ok(unfolded)
}

/// One instruction for one, so that all jumps still meet their places.
fn charge_concatenations(instructions: &mut Instructions<'_>) {
    let all = (0..).map_while(|i| instructions.get(i).map(|instruction| (i, instruction)));
    let concatenations = all.filter(|(_, instruction)| matches!(instruction, Instruction::StringConcat));
    let places: Vec<u32> = concatenations.map(|(i, _)| i).collect();
    for place in places {
        if let Some(instruction) = instructions.get_mut(place) {
            *instruction = Instruction::CallFunction(CONCATENATION, Some(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_operator_stays() {
        let source = "a ~ b {{ 'x~y' ~ z }}{# ~ #}{% raw %}{{ ~ }}{% endraw %}{% set a = b~c ~ d %}";
        let want = "a ~ b {{ 'x~y' ~''|string~ z }}{# ~ #}{% raw %}{{ ~ }}{% endraw %}{% set a = b~''|string~c ~''|string~ d %}";
        assert_eq!(unfolded(source).unwrap(), want);
    }
}
