//! `generate`: what it writes, in which form, and what it refuses.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{another_model, ended, path, program, run, shipped, temporary};

const PROMPT: &str = "One day Mia and Tom went to the park.";

/// `generate` of the shipped model on the CPU.
fn generate(arguments: &[&str]) -> crate::Ended {
    let model = shipped();
    run(&[&["generate", &model, "--device", "cpu"], arguments].concat())
}

fn written(arguments: &[&str]) -> Value {
    generate(&[&["--prompt", PROMPT, "--max-tokens", "24", "--json"], arguments].concat()).with(0).json()
}

/// The shipped model with these settings of its tokenizer.
fn with_settings(folder: &TempDir, settings: &Value) -> String {
    let model = another_model(folder);
    std::fs::write(Path::new(&model).join("tokenizer_config.json"), settings.to_string()).unwrap();
    model
}

/// The shipped model with this post-processor in its tokenizer.json.
fn with_post_processor(folder: &TempDir, post_processor: Value) -> String {
    let model = another_model(folder);
    let file = Path::new(&model).join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    tokenizer["post_processor"] = post_processor;
    std::fs::write(&file, tokenizer.to_string()).unwrap();
    model
}

fn prompt_tokens(model: &str, arguments: &[&str]) -> u64 {
    let fixed = ["generate", model, "--device", "cpu", "--max-tokens", "1", "--json", "--prompt", PROMPT];
    run(&[&fixed, arguments].concat()).with(0).json()["prompt_tokens"].as_u64().unwrap()
}

#[test]
fn a_text_begins_as_the_tokenizer_begins_it() {
    let folders = [temporary(), temporary()];
    let silent = with_post_processor(&folders[0], Value::Null);
    let own = prompt_tokens(&silent, &[]);
    assert_eq!(prompt_tokens(&shipped(), &[]), own + 1, "the post-processor puts <s>, whatever no settings say");
    let settings = Path::new(&silent).join("tokenizer_config.json");
    // config.json has a bos_token_id all the while.
    for (add, more) in [(Value::Null, 0), (json!(false), 0), (json!(true), 1)] {
        std::fs::write(&settings, json!({ "bos_token": "<s>", "add_bos_token": add }).to_string()).unwrap();
        assert_eq!(prompt_tokens(&silent, &[]), own + more, "add_bos_token {add}");
    }
    // As in transformers 5, a post-processor goes before the flag.
    let none = json!({
        "type": "TemplateProcessing", "single": [{ "Sequence": { "id": "A", "type_id": 0 } }],
        "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
        "special_tokens": {},
    });
    let without = with_post_processor(&folders[1], none);
    let flagged = json!({ "bos_token": "<s>", "add_bos_token": true }).to_string();
    std::fs::write(Path::new(&without).join("tokenizer_config.json"), flagged).unwrap();
    assert_eq!(prompt_tokens(&without, &[]), own);
}

#[test]
fn special_tokens_may_stand_in_their_own_file() {
    let folder = temporary();
    let settings = json!({ "chat_template": "{{ bos_token }}{{ messages[0].content }}" });
    let model = with_settings(&folder, &settings);
    let own = prompt_tokens(&shipped(), &[]) - 1;
    let arguments = ["generate", &model, "--device", "cpu", "--max-tokens", "1", "--chat", "--prompt", PROMPT];
    let told = run(&arguments).with(0);
    assert!(told.err.contains("note: ") && told.err.contains("bos_token"), "{}", told.err);
    assert_eq!(prompt_tokens(&model, &["--chat"]), own);
    let map = json!({ "bos_token": { "content": "<s>" }, "eos_token": "</s>" }).to_string();
    std::fs::write(Path::new(&model).join("special_tokens_map.json"), map).unwrap();
    assert_eq!(prompt_tokens(&model, &["--chat"]), own + 1);
    assert!(!run(&arguments).with(0).err.contains("note: "));
    std::fs::write(Path::new(&model).join("special_tokens_map.json"), "{").unwrap();
    run(&arguments).with(1).saying(&["special_tokens_map.json", "not JSON"]);
}

#[test]
fn the_text_follows_the_prompt_and_the_rate_goes_to_standard_error() {
    let printed = generate(&["--prompt", PROMPT, "--max-tokens", "24"]).with(0);
    let object = written(&[]);
    assert_eq!(printed.out, format!("{PROMPT}{}\n", object["text"].as_str().unwrap()));
    assert!(printed.err.contains("tokens/s") && printed.err.contains("--max-tokens"), "{}", printed.err);
    assert_eq!(object["tokens"], 24);
    assert_eq!(object["stopped_by"], "max_tokens");
    assert!(object["seconds"].as_f64() > Some(0.0) && object["tokens_per_second"].as_f64() > Some(0.0), "{object}");
}

#[test]
fn draws_depend_on_the_seed_and_one_candidate_is_no_draw() {
    let drawn = |seed: &str| written(&["--temperature", "1.5", "--seed", seed])["text"].clone();
    assert_eq!(drawn("3"), drawn("3"));
    assert_ne!(drawn("3"), drawn("4"));
    let greedy = written(&[])["text"].clone();
    assert_eq!(written(&["--temperature", "1.5", "--top-k", "1"])["text"], greedy);
    assert_eq!(written(&["--temperature", "1.5", "--top-p", "1e-9"])["text"], greedy);
    assert_ne!(written(&["--repetition-penalty", "3"])["text"], greedy);
}

#[test]
fn a_stop_ends_the_text_before_itself() {
    let long = |stops: &[&str]| {
        generate(&[&["--prompt", PROMPT, "--max-tokens", "100", "--json"], stops].concat()).with(0).json()
    };
    let whole = long(&[])["text"].as_str().unwrap().to_owned();
    let (before, _) = whole.split_once(" the").expect("a story with \"the\"");
    let object = long(&["--stop", "\\n\\n\\n", "--stop", " the"]);
    assert_eq!(object["text"], before);
    assert_eq!(object["stopped_by"], json!({ "stop": " the" }));
}

#[test]
fn a_prompt_may_come_from_a_file_or_from_standard_input() {
    let folder = temporary();
    let file = folder.path().join("prompt.txt");
    std::fs::write(&file, PROMPT).unwrap();
    let want = written(&[])["text"].clone();
    let from_file = generate(&["--prompt-file", &path(&file), "--max-tokens", "24", "--json"]).with(0).json();
    assert_eq!(from_file["text"], want);
    let model = shipped();
    let mut command =
        program(&["generate", &model, "--device", "cpu", "--prompt-file", "-", "--max-tokens", "24", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PROMPT.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["text"], want);
    generate(&["--prompt-file", "no.txt"]).with(1).saying(&["--prompt-file no.txt"]);
}

#[test]
fn a_conversation_begins_with_one_begin_of_sequence_token() {
    let folder = temporary();
    let template =
        "{{ bos_token }}{% for m in messages %}{{ m.content }}{% if not loop.last %} {% endif %}{% endfor %}";
    let settings = json!({ "chat_template": template, "bos_token": "<s>", "eos_token": "</s>" });
    let model = with_settings(&folder, &settings);
    let ask = |arguments: &[&str]| {
        let fixed = ["generate", &model, "--device", "cpu", "--max-tokens", "24", "--json"];
        run(&[&fixed, arguments].concat()).with(0).json()
    };
    let plain = ask(&["--prompt", PROMPT]);
    let chat = ask(&["--chat", "--prompt", PROMPT]);
    assert_eq!(chat["prompt_tokens"], plain["prompt_tokens"]);
    assert_eq!(chat["text"].as_str().unwrap().trim_start(), plain["text"].as_str().unwrap().trim_start());
    let (system, said) = PROMPT.split_once(' ').unwrap();
    assert_eq!(ask(&["--chat", "--system", system, "--prompt", said])["text"], chat["text"]);
    // A file of its own goes before the settings.
    std::fs::write(Path::new(&model).join("chat_template.jinja"), "{{ raise_exception('not today') }}").unwrap();
    run(&["generate", &model, "--chat", "--prompt", "Hi"]).with(1).saying(&["refuses", "not today"]);
}

#[test]
fn a_template_that_is_not_there_is_wrong_usage() {
    generate(&["--chat", "--prompt", "Hi"]).with(2).saying(&["no chat template", "leave --chat away"]);
    let folder = temporary();
    let templates = json!([{ "name": "default", "template": "a" }, { "name": "rag", "template": "b" }]);
    let model = with_settings(&folder, &json!({ "chat_template": templates }));
    let ended = run(&["generate", &model, "--chat", "--chat-template", "tools", "--prompt", "Hi"]);
    ended.with(2).saying(&["\"tools\"", "default, rag"]);
    generate(&["--system", "Be brief.", "--prompt", "Hi"]).with(2).saying(&["--chat"]);
    generate(&["--chat", "--prompt", " "]).with(2).saying(&["--prompt is empty"]);
}

#[test]
fn wrong_values_are_wrong_usage() {
    for (flag, value) in [
        ("--top-p", "0"),
        ("--top-p", "1.5"),
        ("--top-k", "0"),
        ("--repetition-penalty", "0"),
        ("--temperature", "-1"),
        ("--max-tokens", "0"),
        ("--stop", ""),
        ("--stop", "\\q"),
    ] {
        generate(&["--prompt", "Hi", flag, value]).with(2).saying(&[flag]);
    }
    generate(&[]).with(2).saying(&["--prompt"]);
    generate(&["--prompt", "Hi", "--prompt-file", "-"]).with(2).saying(&["--prompt-file"]);
}

#[test]
fn a_prompt_needs_a_token_and_room() {
    let folder = temporary();
    let model = with_post_processor(&folder, Value::Null);
    let nothing = |model: &str| run(&["generate", model, "--prompt", "", "--device", "cpu", "--max-tokens", "2"]);
    nothing(&model).with(2).saying(&["--prompt is empty", "begin-of-sequence"]);
    nothing(&shipped()).with(0);
    generate(&["--prompt", &"Once upon a time. ".repeat(200)]).with(2).saying(&["512"]);
}

#[test]
fn two_models_are_shown_one_after_the_other_where_there_is_no_terminal() {
    let folder = temporary();
    let (dense, other) = (shipped(), another_model(&folder));
    let rest = ["--prompt", PROMPT, "--max-tokens", "12", "--device", "cpu"];
    let first = run(&[&["generate", "--compare", &dense, &other], &rest[..]].concat()).with(0);
    let second = run(&[&["generate", &dense, "--compare", &other], &rest[..]].concat()).with(0);
    for printed in [&first, &second] {
        let [a, b] = [&dense, &other].map(|model| printed.out.find(&format!("{model} (")).expect("both models"));
        assert!(a < b && printed.out.starts_with(PROMPT), "{}", printed.out);
        assert_eq!(printed.err.matches("tokens/s").count(), 2, "{}", printed.err);
        assert!(!printed.err.contains("tokenizers"), "{}", printed.err);
    }
    let object = run(&[&["generate", "--compare", &dense, &other, "--json"], &rest[..]].concat()).with(0).json();
    assert_eq!(object["models"][1]["model"], other.as_str());
    assert_eq!(object["models"][0]["tokens"], 12);
    assert_eq!(object["same_tokenizer"], true);
}

#[test]
fn different_tokenizers_are_said_and_another_number_of_models_refused() {
    let folder = temporary();
    let (dense, other) = (shipped(), another_model(&folder));
    let file = Path::new(&other).join("tokenizer.json");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "\n").unwrap();
    let rest = ["--prompt", "Hi", "--max-tokens", "2", "--device", "cpu"];
    let printed = run(&[&["generate", "--compare", &dense, &other], &rest[..]].concat()).with(0);
    assert!(printed.err.contains("different tokenizers"), "{}", printed.err);
    run(&[&["generate", "--compare", &dense], &rest[..]].concat()).with(2).saying(&["two models", "1 are given"]);
    run(&[&["generate", &dense, "--compare", &dense, &other], &rest[..]].concat()).with(2).saying(&["3 are given"]);
}

#[test]
fn a_driver_that_is_missing_does_not_hide_the_text() {
    let model = shipped();
    let mut command = program(&["generate", &model, "--prompt", "One day", "--max-tokens", "3", "--json"]);
    let printed = ended(command.env("VK_DRIVER_FILES", "/none.json").env("VK_ICD_FILENAMES", "/none.json")).with(0);
    assert_eq!(printed.json()["device"], "cpu");
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_the_text_cleanly() {
    use std::io::Read;
    let model = shipped();
    let mut command = program(&["generate", &model, "--prompt", PROMPT, "--max-tokens", "400", "--device", "cpu"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 1];
    out.read_exact(&mut first).unwrap();
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("ended by Ctrl-C") && !err.contains("error"), "{err}");
    assert!(rest.ends_with('\n'));
}
