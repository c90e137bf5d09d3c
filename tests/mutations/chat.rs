//! Chat templates, which are programs.

use serde_json::json;
use slimgpt::text::{ChatTemplate, Message, Moment};

use crate::{Format, Outcome};

/// What a template might do to whoever renders it.
const PARTS: [&str; 34] = [
    "{{ 'x' * 1000000000 }}",
    "{% for i in range(1000000000) %}{{ i }}{% endfor %}",
    "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
    "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    "{{ messages|tojson(indent=1000000) }}",
    "{{ messages|tojson(separators=(',', ':'), ensure_ascii=true, sort_keys=true) }}",
    "{{ 'a'|replace('', 'aaaaaaaa')|replace('a', 'aaaaaaaaaaaaaaaa')|replace('a', 'aaaaaaaaaaaaaaaa') }}",
    "{{ 'a'|indent(1000000000) }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ range(100000000)|list|length }}",
    "{{ [1] * 100000000 }}",
    "{{ '%1000000000d' % 3 }}",
    "{{ '{:>1000000000}'.format(3) }}",
    "{{ '{:{}}'.format(3, 1000000000) }}",
    "{{ 'x'.join([[1] * 100000000]) }}",
    "{{ ([1] * 100000000)|string|length }}",
    "{{ ([1] * 100000000)|join(',') }}",
    "{{ ([1] * 10000000) ~ 'x' }}",
    "{% set x %}{{ [1] * 100000000 }}{% endset %}{{ x|length }}",
    "{{ ([[1] * 100000] * 100000)|tojson }}",
    "{{ ([1] * 100000000)|map('string')|list|sort|unique|batch(3)|list }}",
    "{{ strftime_now('%Y-%m-%d %H:%M %j %q %') }}",
    "{{ raise_exception('no') }}",
    "{% generation %}x{% endgeneration %}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{{ messages.__class__.__mro__ }}",
    "{{ not not not not not not not not not 1 }}",
    "{{ messages[::-1][:100000000000000000000] }}",
    "{{ (1 // 0) + (1 % 0) }}",
    "{{ 9223372036854775807 + 1 }}{{ 2 ** 10000 }}{{ -9223372036854775808 // -1 }}",
    "{{",
];
/// Things that are repeated until a stack or a parser gives in.
const REPEATED: [&str; 8] = ["(", "[", "{{", "not ", "-", "1+", "|list", "{% if 1 %}"];

const SEEDS: [&str; 4] = [
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "{%- if messages[0]['role'] == 'system' -%}{%- set system = messages[0]['content'] | trim -%}{%- set rest = messages[1:] -%}{%- else -%}{%- set rest = messages -%}{%- endif -%}{{ bos_token }}{%- for m in rest -%}{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception('alternate') }}{%- endif -%}{{ '[INST] ' ~ m['content'].strip() ~ ' [/INST]' }}{%- endfor -%}",
    "{%- set ns = namespace(found=false, text='') -%}{%- for m in messages[::-1] -%}{%- if not ns.found and m.role == 'user' -%}{%- set ns.found = true -%}{%- set ns.text = m.content.split('\\n')[0].lstrip() -%}{%- endif -%}{%- endfor -%}{{ ns.text|upper }}{{ tools is none }}{{ messages|tojson(indent=2) }}",
    "{% macro show(m, depth=0) %}{{ ' ' * depth }}{{ m.role|capitalize }}: {{ m.content|default('', true) }}{% endmacro %}{% for m in messages %}{% if loop.first %}{{ strftime_now('%d %b %Y') }}{% endif %}{{ show(m, loop.index) }}{% if not loop.last %}{{ '\\n' }}{% else %}{% break %}{% endif %}{% endfor %}{% generation %}{{ eos_token }}{% endgeneration %}",
];

fn said(rendered_by: &ChatTemplate) -> Outcome {
    let message = |role, content: &str| Message { role, content: content.into() };
    let said = [message("system", "Be brief."), message("user", " Hello,\nwho are you? ")];
    rendered_by.undefined_tokens();
    match rendered_by.render(&said) {
        Ok(_) => Outcome::Used,
        Err(_) => Outcome::Refused,
    }
}

fn read(source: &[u8], times: usize) -> Outcome {
    let source = String::from_utf8_lossy(source);
    // A mark stands for very many of one thing; of hundreds of marks the text alone would fill the memory here.
    let source = REPEATED
        .iter()
        .zip('\u{e000}'..)
        .fold(source.into_owned(), |s, (part, mark)| s.replacen(mark, &part.repeat(times), 4));
    let config = json!({ "bos_token": "<s>", "eos_token": "</s>", "chat_template": source });
    match ChatTemplate::new(&config, None, None) {
        Ok(template) => said(&template.at(Moment(1_700_000_000))),
        Err(_) => Outcome::Refused,
    }
}

pub fn formats() -> Vec<Format> {
    let seeds = || SEEDS.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let marks: &'static [&'static str] = &[
        "\u{e000}",
        "\u{e001}",
        "\u{e002}",
        "{{ \u{e003}1 }}",
        "{{ \u{e004}1 }}",
        "{{ \u{e005}1 }}",
        "{{ 1\u{e006} }}",
        "\u{e007}",
    ];
    vec![
        Format {
            name: "chat template",
            share: 14,
            seeds: seeds(),
            is_json: false,
            parts: &PARTS,
            read: Box::new(|source| read(source, 1)),
        },
        Format {
            name: "chat template with very much of one thing",
            share: 1,
            seeds: seeds(),
            is_json: false,
            parts: marks,
            read: Box::new(|source| read(source, 40_000)),
        },
    ]
}
