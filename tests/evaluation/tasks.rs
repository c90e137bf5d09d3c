//! Every task, item by item, against the independent scorer.

use pollster::block_on;
use serde_json::{Value, json};
use slimgpt::device::Device;
use slimgpt::eval::tasks::{Answer, Begin, Item, Prepared, Rows, ZERO_SHOT, answers, mmlu, prepare, rows};

use crate::independent::{Likelihood, Scorer, clear_winner, gold, prompts};
use crate::support::software_gpu;
use crate::{Model, data};

/// Rows of each task that the shipped model is asked, made for this test.
fn own_rows(task: &str) -> Vec<Value> {
    let choices =
        json!({ "text": ["a red ball", "the old dog", "rain", "nothing at all"], "label": ["A", "B", "C", "D"] });
    match task {
        "boolq" => vec![
            json!({ "passage": "Tom has a red ball. Ann has a kite.", "question": "does tom have a ball", "answer": true }),
            json!({ "passage": "It was a long day. ".repeat(120), "question": "was it short", "answer": false }),
        ],
        "piqa" => {
            vec![json!({ "goal": "Fly a kite.", "sol1": "Run with it in the wind. ", "sol2": "Eat  it.", "label": 0 })]
        }
        "hellaswag" => vec![json!({
            "activity_label": "Playing", "ctx_a": "[header] How to play [title] Tom has a ball.", "ctx_b": "tom And Ann",
            "endings": ["play.", "go [step] home.", "see  a dog.", "sleep."], "label": 0,
        })],
        "winogrande" => vec![json!({
            "sentence": "Tom gave Ann the ball because _ was kind.", "option1": "Tom", "option2": "Ann", "answer": "1",
        })],
        "openbookqa" => {
            vec![json!({ "question_stem": "Tom likes to play with ", "choices": choices, "answerKey": "A" })]
        }
        _ => vec![json!({ "question": "What does Tom play with?", "choices": choices, "answerKey": "A" })],
    }
}

/// Rows of a task beside the checkout, from the beginning of its file.
fn shared_rows(task: &str, count: usize) -> Option<Vec<Value>> {
    let folder = data()?.join("tasks");
    let file = slimgpt::eval::tasks::find(&folder, task, "").unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    Some(text.lines().take(count).map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The library's answers to rows.
fn asked(model: &Model, items: Rows<Item>, begin: Begin, device: &Device) -> (Prepared, Vec<Answer>) {
    let max_positions = model.checkpoint.config().max_positions;
    let prepared = prepare(items, &model.tokenizer, max_positions, begin, &mut |_, _| {}).unwrap();
    assert_eq!(prepared.bad, [], "no row of these is bad");
    let found = block_on(answers(&model.checkpoint, &prepared.questions, device, None, &mut |_, _| {})).unwrap();
    (prepared, found)
}

/// Fails unless every choice of every row has the independent likelihood, and every row its answer.
fn check(model: &Model, scorer: &Scorer, task: &str, lines: &[Value], begin: Begin, devices: &[Device]) {
    let text: String = lines.iter().map(|row| format!("{row}\n")).collect();
    let item = slimgpt::eval::tasks::by_name(task).unwrap().item;
    let specials = begin == Begin::Tokenizer;
    let want: Vec<Vec<Likelihood>> = on_all_cores(lines, |row| {
        prompts(task, row).iter().map(|(context, choice)| scorer.score(context, choice, specials)).collect()
    });
    for device in devices {
        let (_, found) = asked(model, rows(task, &text, None, item), begin, device);
        assert_eq!(found.len(), lines.len());
        for (i, (answer, row)) in found.iter().zip(lines).enumerate() {
            let name = format!("{task}, row {i}, {}", device.name());
            same(answer, &want[i], &prompts(task, row), gold(task, row), &name);
        }
    }
}

#[track_caller]
fn same(answer: &Answer, want: &[Likelihood], prompts: &[(String, String)], gold: usize, name: &str) {
    assert_eq!(answer.log_likelihoods.len(), want.len(), "{name}");
    for (got, want) in answer.log_likelihoods.iter().zip(want) {
        assert!((got - want.sum).abs() <= want.tolerance, "{name}: {got} {want:?}");
    }
    let by = |length: fn(&str) -> usize| prompts.iter().map(|(_, c)| length(&c[1..])).collect::<Vec<_>>();
    for (said, lengths) in
        [(answer.acc, by(|_| 1)), (answer.acc_norm, by(|text| text.chars().count())), (answer.acc_bytes, by(str::len))]
    {
        if let Some(best) = clear_winner(want, &lengths) {
            assert_eq!(said, best == gold, "{name}");
        }
    }
}

/// The f64 oracle is slow, and a row does not wait for another.
fn on_all_cores<T: Send>(rows: &[Value], f: impl Fn(&Value) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = rows.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let f = &f;
        let handles: Vec<_> =
            rows.chunks(share).map(|rows| scope.spawn(move || rows.iter().map(f).collect::<Vec<T>>())).collect();
        handles.into_iter().flat_map(|h| h.join().unwrap()).collect()
    })
}

#[test]
fn every_choice_of_every_zero_shot_task_has_its_independent_likelihood() {
    let model = Model::shipped();
    let scorer = Scorer::open(&model.folder);
    for task in ZERO_SHOT {
        check(&model, &scorer, task.name, &own_rows(task.name), Begin::None, &[Device::cpu(), software_gpu()]);
    }
}

/// Published rows of each task: half a minute of the f64 oracle.
const ROWS: usize = 10;

#[test]
fn the_published_rows_on_stories260k_have_their_independent_likelihoods() {
    let Some(data) = data() else { return };
    let model = Model::open(&data.join("models/stories260K"));
    let scorer = Scorer::open(&model.folder);
    for (i, task) in ZERO_SHOT.into_iter().enumerate() {
        let lines = shared_rows(task.name, ROWS).unwrap();
        // This model's tokenizer puts a begin-of-sequence token before a text.
        check(&model, &scorer, task.name, &lines, [Begin::None, Begin::Tokenizer][i % 2], &[Device::cpu()]);
    }
}

#[test]
fn mmlu_scores_four_letters_after_five_examples() {
    let line = |question: &str, answer: usize| json!({ "subject": "virology", "question": question, "choices": ["a cat", "a dog", "a cup", "a hat"], "answer": answer });
    let dev: String = (0..5).map(|i| format!("{}\n", line(&format!("Who is number {i}?"), i % 4))).collect();
    let test = format!("{}\n{}\n", line(" Who runs? ", 1), line("Who sits?", 3));
    let model = Model::shipped();
    let scorer = Scorer::open(&model.folder);
    let list = "A. a cat\nB. a dog\nC. a cup\nD. a hat\nAnswer:";
    let shots: String =
        (0..5).map(|i| format!("Who is number {i}?\n{list} {}\n\n", ["A", "B", "C", "D"][i % 4])).collect();
    let head = "The following are multiple choice questions (with answers) about virology.\n\n";
    let (prepared, found) = asked(&model, mmlu(("dev", &dev), ("test", &test), None), Begin::Tokenizer, &Device::cpu());
    assert!(prepared.cut_off.iter().all(|p| p.value > 0) && prepared.questions.len() == 2);
    for ((question, gold), answer) in [("Who runs?", 1), ("Who sits?", 3)].into_iter().zip(&found) {
        let context = format!("{head}{shots}{question}\n{list}");
        let prompts: Vec<(String, String)> =
            ["A", "B", "C", "D"].map(|letter| (context.clone(), format!(" {letter}"))).to_vec();
        let want: Vec<Likelihood> = prompts.iter().map(|(c, l)| scorer.score(c, l, true)).collect();
        same(answer, &want, &prompts, gold, question);
    }
}

#[test]
fn a_context_that_is_too_long_loses_its_beginning_and_is_counted() {
    let model = Model::shipped();
    let lines = own_rows("boolq");
    let text: String = lines.iter().map(|row| format!("{row}\n")).collect();
    let boolq = slimgpt::eval::tasks::by_name("boolq").unwrap();
    let (prepared, _) = asked(&model, rows("boolq", &text, None, boolq.item), Begin::None, &Device::cpu());
    assert_eq!(prepared.cut_off.iter().map(|p| p.line).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_choice_longer_than_the_model_is_a_bad_row() {
    let model = Model::shipped();
    let long = json!({ "goal": "Fly.", "sol1": "Run. ".repeat(600), "sol2": "Sit.", "label": 0 });
    let piqa = slimgpt::eval::tasks::by_name("piqa").unwrap();
    let items = rows("piqa.jsonl", &format!("\n{long}\n"), None, piqa.item);
    let prepared = prepare(items, &model.tokenizer, 512, Begin::None, &mut |_, _| {}).unwrap();
    assert!(prepared.questions.is_empty());
    let said = prepared.bad[0].to_string();
    assert!(said.starts_with("piqa.jsonl:2: choice 0 has") && said.contains("context of 512"), "{said}");
}
