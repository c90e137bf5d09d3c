//! Chat templates with what those of the great families use, and what is said when one fails.

use serde_json::{Value, json};
use slimgpt::text::{ChatError, ChatTemplate, Message, Moment, Tokenizer, TokenizerSettings};

use crate::support::shipped;

/// Turns in marks, a system turn of its own where none is given; blocks on lines of their own.
const CHATML: &str = "\
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] %}
{%- else %}
    {%- set system = 'You are helpful.' %}
{%- endif %}
{{- '<|im_start|>system\\n' + system + '<|im_end|>\\n' }}
{%- for message in messages %}
    {%- if message.role == 'system' %}{% continue %}{% endif %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}";

/// Begin-of-sequence token, headers, trimmed contents, and a date only where there is one.
const LLAMA_3: &str = "\
{{- bos_token }}
{%- if not date is defined %}
    {%- if strftime_now is defined %}{%- set date = strftime_now('%d %b %Y') %}
    {%- else %}{%- set date = '26 Jul 2024' %}{%- endif %}
{%- endif %}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{{- 'Today: ' + date }}";

/// No system turn; turns alternate; the loop is asked where it is.
const MISTRAL: &str = "\
{{ bos_token }}{% for message in messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{% endif %}
{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}
{% else %}{{ message['content'] + eos_token }}{% endif %}
{% endfor %}";

fn turn(role: &'static str, content: &str) -> Message {
    Message { role, content: content.into() }
}

fn template(source: &str) -> ChatTemplate {
    let config = json!({ "chat_template": source, "bos_token": { "content": "<s>" }, "eos_token": "</s>" });
    ChatTemplate::new(&config, None, None).unwrap()
}

#[track_caller]
fn check(source: &str, messages: &[Message], want: &str) {
    assert_eq!(template(source).render(messages).unwrap(), want);
}

#[test]
fn chatml_has_a_system_turn_always() {
    let with = [turn("system", "Be brief."), turn("user", "Hi\n")];
    check(
        CHATML,
        &with,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\n",
    );
    check(
        CHATML,
        &with[1..],
        "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\n",
    );
}

#[test]
fn llama_3_begins_with_its_token_and_does_without_a_date() {
    let want = "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>Today: 26 Jul 2024";
    check(LLAMA_3, &[turn("user", "  Hi ")], want);
}

#[test]
fn mistral_trims_its_blocks_and_refuses_two_users() {
    let turns = [turn("user", "Hi"), turn("assistant", "Hello"), turn("user", "Who?")];
    check(MISTRAL, &turns, "<s>[INST] Hi [/INST]\nHello</s>[INST] Who? [/INST]\n");
    let error = template(MISTRAL).render(&[turn("user", "a"), turn("user", "b")]).unwrap_err();
    assert!(matches!(&error, ChatError::Refused(reason) if reason.contains("must alternate")), "{error}");
}

#[test]
fn pythons_methods_and_json_are_there() {
    check("{{ messages[0].content.strip().upper().split(' ')[-1] }}", &[turn("user", " a b ")], "B");
    check("{{ messages | tojson }}", &[turn("user", "é <b> \"q\"")], r#"[{"role": "user", "content": "é <b> \"q\""}]"#);
    check(
        "{{ messages[0] | tojson(indent=2) }}",
        &[turn("user", "a")],
        "{\n  \"role\": \"user\",\n  \"content\": \"a\"\n}",
    );
    check("{% for c in 'abc' %}{% if c == 'b' %}{% break %}{% endif %}{{ c }}{% endfor %}", &[], "a");
    check(
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
        &[turn("user", "a")],
        "1",
    );
    check("{% generation %}{{ 1 }}{%- endgeneration -%}  2", &[], "12");
}

#[test]
fn a_failing_template_names_its_line() {
    let error = template("ok\n{{ messages[0].content.nothing() }}").render(&[turn("user", "a")]).unwrap_err();
    assert!(matches!(&error, ChatError::Template { line: 2, .. }), "{error}");
    let error = template("{% if %}").render(&[]).unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
    let error = template("{{ strftime_now('%Y') }}").render(&[]).unwrap_err();
    assert!(matches!(error, ChatError::Date), "{error}");
}

#[test]
fn what_is_absent_is_none() {
    let hi = [turn("user", "Hi")];
    check("{% if tools is not none %}TOOLS {{ tools | tojson }}{% endif %}{{ messages[0].content }}", &hi, "Hi");
    check("{% if documents is none %}no documents{% endif %}", &hi, "no documents");
    check("{% if tools is defined and tools %}a{% else %}b{% endif %}", &hi, "b");
    // transformers defines these where somebody gives them.
    check("{% if enable_thinking is defined %}a{% else %}b{% endif %}", &hi, "b");
    check("{{ messages | tojson(ensure_ascii=False) }}", &hi, r#"[{"role": "user", "content": "Hi"}]"#);
    check("{{ 'é' | tojson(ensure_ascii=True, separators=(',', ':')) }}", &hi, r#""\u00e9""#);
    let error = template("{{ 1 | tojson(colour=1) }}").render(&hi).unwrap_err();
    assert!(matches!(error, ChatError::Template { .. }), "{error}");
}

#[test]
fn the_date_is_the_one_that_is_given() {
    let dated = template("{{ strftime_now('%d %B %Y') }}").at(Moment::of_day("2026-01-31").unwrap());
    assert!(dated.asks_for_the_date() && !template("{{ 1 }}").asks_for_the_date());
    assert_eq!(dated.render(&[]).unwrap(), "31 January 2026");
    let wrong = template("{{ strftime_now('%Q') }}").at(Moment(0)).render(&[]).unwrap_err();
    assert!(wrong.to_string().contains("%Q"), "{wrong}");
    let llama = template(LLAMA_3).at(Moment::of_day("2026-02-01").unwrap()).render(&[turn("user", "Hi")]).unwrap();
    assert!(llama.ends_with("Today: 01 Feb 2026"), "{llama}");
}

#[test]
fn tokens_that_the_tokenizer_lacks_are_known() {
    let template = template("{{ bos_token }}{% if pad_token %}{{ pad_token }}{% endif %}");
    assert_eq!(template.undefined_tokens(), ["pad_token"]);
}

#[test]
fn of_several_templates_one_is_named() {
    let config = json!({ "chat_template": [
        { "name": "default", "template": "plain" }, { "name": "rag", "template": "with documents" },
    ] });
    let rendered = |jinja: Option<&str>, name: Option<&str>| {
        ChatTemplate::new(&config, jinja.map(str::to_owned), name).map(|t| t.render(&[]).unwrap())
    };
    assert_eq!(rendered(None, None).unwrap(), "plain");
    assert_eq!(rendered(None, Some("rag")).unwrap(), "with documents");
    assert_eq!(rendered(Some("of the file"), None).unwrap(), "of the file");
    let error = rendered(Some("of the file"), Some("tools")).unwrap_err().to_string();
    assert!(error.contains("\"tools\"") && error.contains("default, rag"), "{error}");
}

#[test]
fn without_a_template_it_is_said_where_one_would_be() {
    for config in [Value::Null, json!({ "chat_template": null }), json!({ "chat_template": [] })] {
        let error = ChatTemplate::new(&config, None, None).unwrap_err();
        assert!(matches!(error, ChatError::Missing), "{error}");
        assert!(error.to_string().contains("chat_template.jinja"));
    }
}

#[test]
fn the_special_tokens_of_a_rendered_text_are_tokens() {
    let text =
        template("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}").render(&[turn("user", "One day")]).unwrap();
    let tokenizer = Tokenizer::open(&shipped(), 1 << 20).unwrap();
    let tokens = tokenizer.encode(&text).unwrap();
    assert_eq!(tokens, [&[1][..], &tokenizer.encode("One day").unwrap(), &[2]].concat());
}

#[test]
fn a_template_that_asks_for_too_much_is_refused() {
    let double = "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}";
    let quote = "{% set n = namespace(x='\"') %}{% for i in range(60) %}{% set n.x = n.x | tojson %}{% endfor %}";
    let replace =
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x.replace('a', 'aa') %}{% endfor %}";
    let nest = "{% set n = namespace(x=[]) %}{% for i in range(90000) %}{% set n.x = [n.x] %}{% endfor %}";
    let loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}";
    for source in [
        loops.to_owned(),
        double.to_owned(),
        quote.to_owned(),
        replace.to_owned(),
        format!("{nest}{{{{ n.x | tojson(indent=64) }}}}"),
        "{{ messages | tojson(indent=10000000000000) }}".into(),
        "{{ messages | tojson(indent=18446744073709551615) }}".into(),
        "{{ '%999999999d' | format(1) }}".into(),
        "{% for i in range(90000) %}{{ 'twenty bytes of text' * 4 }}{% endfor %}".into(),
        format!("{{{{ {}1 }}}}", "-".repeat(200_000)),
    ] {
        let refused = template(&source).render(&[turn("user", "hi")]);
        assert!(refused.is_err(), "{}", &source[..source.len().min(120)]);
    }
}

#[test]
fn a_template_may_nest_as_deep_as_it_is_long() {
    // What comes of it does not matter; that it comes back does.
    for chain in ["-", "not ", "1+", "1 if 1 else ", "1~", "[", "("] {
        let _ = template(&format!("{{{{ {}1 }}}}", chain.repeat(120_000 / chain.len()))).render(&[]);
    }
    let nest = "{% set n = namespace(x=[]) %}{% for i in range(90000) %}{% set n.x = [n.x] %}{% endfor %}";
    let _ = template(&format!("{nest}{{{{ n.x }}}}")).render(&[]);
    let filters = "|list".repeat(24_000);
    let _ = template(&format!("{{{{ 'a'{filters} }}}}")).render(&[]);
    let branches = "{% elif 0 %}".repeat(9000);
    let _ = template(&format!("{{% if 0 %}}{branches}{{% endif %}}")).render(&[]);
}

#[test]
fn a_long_conversation_is_no_reason_to_refuse() {
    let long = "a long story. ".repeat(1 << 17);
    let messages = [turn("system", &long), turn("user", &long), turn("assistant", &long)];
    let rendered = template(LLAMA_3).render(&messages).unwrap();
    assert!(rendered.len() > 3 * (long.len() - 1));
}

#[test]
fn a_template_is_chosen_by_its_name_and_files_go_before_settings() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let in_settings = json!({ "chat_template": [
        { "name": "default", "template": "settings" }, { "name": "tool_use", "template": "settings, tools" },
        { "name": "rag", "template": "settings, documents" }] });
    put("tokenizer_config.json", &in_settings.to_string());
    let rendered = |name: Option<&str>| {
        let settings = TokenizerSettings::open(folder.path()).unwrap();
        ChatTemplate::open(folder.path(), &settings, name).and_then(|template| template.render(&[turn("user", "a")]))
    };
    assert_eq!(rendered(None).unwrap(), "settings");
    assert_eq!(rendered(Some("rag")).unwrap(), "settings, documents");
    put("chat_template.jinja", "\u{feff}file");
    put("additional_chat_templates/tool_use.jinja", "file, tools");
    put("additional_chat_templates/notes.txt", "no template");
    assert_eq!(rendered(None).unwrap(), "file");
    assert_eq!(rendered(Some("tool_use")).unwrap(), "file, tools");
    assert_eq!(rendered(Some("rag")).unwrap(), "settings, documents");
    let unknown = rendered(Some("notes")).unwrap_err().to_string();
    assert!(unknown.contains("notes") && unknown.contains("default, tool_use, rag"), "{unknown}");
}
