//! The chat templates of the best-known families, written for this test, against what jinja2 and
//! transformers render (tests/clients/templates.py).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use slimgpt::text::{ChatTemplate, Message, Moment};

/// What the other programs rendered.
#[derive(Deserialize)]
struct Expected {
    tokens: BTreeMap<String, String>,
    /// Roles and contents.
    conversations: Vec<Vec<(String, String)>>,
    /// By template: the text of each conversation, or why there is none.
    rendered: BTreeMap<String, Vec<Value>>,
}

fn messages(turns: &[(String, String)]) -> Vec<Message> {
    let role = |role: &str| ["system", "user", "assistant"].into_iter().find(|known| *known == role).unwrap();
    turns.iter().map(|(by, content)| Message { role: role(by), content: content.clone() }).collect()
}

#[test]
fn templates_are_rendered_as_transformers_renders_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/templates");
    let expected: Expected = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    assert!(expected.rendered.len() >= 20);
    let mut wrong = Vec::new();
    for (name, all) in &expected.rendered {
        let mut config = json!(expected.tokens);
        config["chat_template"] = json!(std::fs::read_to_string(folder.join(format!("{name}.jinja"))).unwrap());
        let template = ChatTemplate::new(&config, None, None).unwrap().at(Moment::of_day("2026-01-31").unwrap());
        for (i, (want, turns)) in all.iter().zip(&expected.conversations).enumerate() {
            let found = template.render(&messages(turns));
            let is_right = match (want.as_str(), &found) {
                (Some(want), Ok(found)) => want == found,
                // What a template refuses is refused in its own words; other faults are the engine's.
                (None, Err(error)) => {
                    let why = want["refused"].as_str().unwrap();
                    error.to_string().contains(why) || !why.contains("roles") && !why.contains("System")
                }
                _ => false,
            };
            if !is_right {
                wrong.push(format!("{name}, conversation {i}: {want}\n{found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
