//! Does a pruned model still tell stories?

use std::path::Path;

use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::report::figures;
use slimgpt_web::lessons::eight::State;
use slimgpt_worker::jobs::{Done, FILES, Model, Worker};
use slimgpt_worker::protocol::{Answer, Job, Pruned, Request};

use crate::browser::{Browser, Gpu};
use crate::site;
use crate::tab::Tab;

/// Few windows: a browser's processor has one thread, and its software GPU is slower still.
const WINDOWS: usize = 8;
/// What the library makes of the same request outside of a browser.
fn native(windows: usize) -> Pruned {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tiny_model");
    let file = |(name, _): &(&str, usize)| ((*name).to_owned(), std::fs::read(folder.join(name)).unwrap());
    let mut worker = Worker::on(Model::open(FILES.iter().map(file).collect()).unwrap(), Device::cpu());
    let job = Job::Prune(State { windows, ..State::default() }.asked());
    match block_on(worker.answer(&Request { id: 1, job, cpu: false }, &mut |_| {})) {
        Ok(Done::Answer(Answer::Pruned(pruned))) => *pruned,
        other => panic!("{other:?}"),
    }
}

/// Which heads a map says are gone.
fn gone(svg: &str) -> Vec<String> {
    let titles = svg.split("<title>").skip(1).filter_map(|rest| rest.split("</title>").next());
    titles.filter(|title| title.starts_with("layer ")).map(str::to_owned).collect()
}

/// Lets the page prune with so many windows, and holds what it shows to the command line's.
fn is_the_command_lines_pruning(gpu: Gpu, windows: usize) -> Tab {
    let tab = Tab::with(gpu, &format!("?v=1&8.windows={windows}#lesson-8"));
    tab.by("button", "Prune, measure and write").click();
    // Not until the stories are written too: token by token, a software GPU is slower at that than at all the rest.
    tab.wait_long("document.querySelector('#lesson-8 tbody td')");
    let want = native(windows);
    let cell = tab.run("document.querySelector('#lesson-8 tbody td').innerText");
    let perplexity: f64 = cell.as_str().and_then(|text| text.parse().ok()).expect("a number");
    assert!((perplexity / want.perplexity[1] - 1.0).abs() < 1e-3, "{perplexity} {}", want.perplexity[1]);
    let map = tab.run("document.querySelector('#lesson-8 .plot svg').outerHTML");
    assert_eq!(gone(map.as_str().unwrap_or_default()), gone(&figures::heads(&want.layers, figures::WIDTH).inline()));
    tab
}

#[test]
fn it_is_the_command_lines_pruning() {
    let tab = is_the_command_lines_pruning(Gpu::Off, WINDOWS);
    tab.wait_long("document.querySelector('#lesson-8 .written')");
    // Both have gone on with the prompt, and not with the same words.
    assert!(tab.run("document.querySelectorAll('#lesson-8 .written mark').length").as_u64() > Some(0));
    tab.by("button", "Show the files of the last model").click();
    tab.wait_long("[...document.querySelectorAll('#lesson-8 .files a')].some(a => a.download === 'model.safetensors')");
}

#[test]
#[ignore = "a software GPU takes minutes to measure what this processor measures in seconds"]
fn with_webgpu_it_is_the_command_lines_pruning_too() {
    let tab = is_the_command_lines_pruning(Gpu::Software, 2);
    let device = tab.run("document.querySelector('#lesson-8 .device').innerText");
    assert!(device.as_str().is_some_and(|text| text.starts_with("Computing on the GPU")), "{device}");
}

/// Not to the end, which the test above goes to.
#[test]
fn with_webgpu_it_runs_there_and_can_be_stopped() {
    let tab = Tab::with(Gpu::Software, &format!("?v=1&8.windows={WINDOWS}#lesson-8"));
    tab.by("button", "Prune, measure and write").click();
    tab.wait_long("document.querySelector('#lesson-8 .device')?.innerText.startsWith('Computing on the GPU')");
    tab.wait_long("document.querySelector('#lesson-8 .worker').innerText.includes('Measuring the whole model')");
    tab.by("button", "Stop").click();
    tab.says("Stopped. Nothing was changed.");
    assert_eq!(tab.run("document.querySelector('#lesson-8 tbody')"), serde_json::Value::Null);
}

#[test]
fn a_prompt_shows_no_more_than_its_link_holds() {
    let tab = Tab::of("#lesson-8");
    let field = "document.querySelector('#lesson-8 textarea')";
    // The bound is one of bytes, of which these letters have two.
    tab.run(&format!(
        "{field}.value = 'a\\u007fb' + '\\u00e9'.repeat(300); {field}.dispatchEvent(new Event('input', {{ bubbles: true }}))"
    ));
    assert_eq!(tab.run(&format!("{field}.value")), format!("a b{}", "\u{e9}".repeat(198)));
    tab.wait("location.search.includes('8.prompt=')");
    // Without the place, which alone would load nothing.
    let link = tab.url().replace("#lesson-8", "");
    tab.go(&link[link.find('?').expect("a query")..]);
    tab.ready();
    assert_eq!(tab.run("document.querySelectorAll('#page [role=alert]').length"), 0);
    assert_eq!(tab.run(&format!("{field}.value.length")), 201);
}

/// A copy of the page's folder.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap(), to.join(entry.as_ref().unwrap().file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_model_that_does_not_arrive_is_told_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    copied(site::folder(), folder.path());
    std::fs::remove_file(folder.path().join("model/config.json")).unwrap();
    let tab = Tab::served(site::serve_from(folder.path()), Browser::shared(Gpu::Off));
    // The browser complains of the file that is missing.
    tab.forgive();
    tab.go("?v=1&8.windows=2#lesson-8");
    tab.ready();
    tab.by("button", "Prune, measure and write").click();
    tab.says("model/config.json did not arrive: the server answers with 404");
    tab.by("button", "Try again").click();
    tab.says("model/config.json did not arrive");
    // What needs no model goes on.
    tab.go("?v=1#lesson-3");
    tab.ready();
}

#[test]
fn a_lost_gpu_is_told_and_the_cpu_goes_on() {
    let tab = Tab::served(site::serve(), Browser::alone(Gpu::Software));
    tab.forgive();
    tab.go("?v=1&8.windows=2#lesson-8");
    tab.ready();
    tab.by("button", "Prune, measure and write").click();
    tab.wait_long("document.querySelector('#lesson-8 .device')?.innerText.startsWith('Computing on the GPU')");
    tab.lose_gpu();
    tab.wait_long("document.querySelector('#lesson-8 .worker.failed')");
    tab.by("button", "Go on with the CPU").click();
    tab.wait_long("document.querySelector('#lesson-8 .written')");
    assert_eq!(tab.run("document.querySelector('#lesson-8 .device').innerText"), "Computing on the CPU");
}
