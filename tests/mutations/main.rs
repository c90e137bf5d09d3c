//! Files from strangers: every format that is read, mutated from a seed. No panic escapes, nothing takes too
//! long or fills the memory, and what is accepted is never written with other numbers.
//!
//! ```text
//! cargo test --release --test mutations                            20,000 mutations
//! SLIMGPT_MUTATIONS=1000000 cargo test --release --test mutations  as many as that
//! SLIMGPT_MUTATION=1234 cargo test --release --test mutations      only that one, with what it is
//! ```

mod chat;
mod folders;
mod gguf;
mod memory;
mod model;
mod mutate;
mod results;
#[path = "../support/mod.rs"]
mod support;
mod text;
mod tokenizer;
mod zip;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Mutations where nothing else is asked for.
const USUAL: usize = 20_000;
/// Longest time of one.
const LONGEST: Duration = Duration::from_secs(2);
/// Most memory of one, in bytes.
const MOST: usize = 512 << 20;
/// What takes longer than this has no end.
const ENDLESS: Duration = Duration::from_secs(120);

/// What became of a file.
pub enum Outcome {
    /// It was refused, in words.
    Refused,
    /// It was used.
    Used,
    /// Something came of it that must not.
    Wrong(String),
}

/// Reads a file as the program would.
type Reader = Box<dyn Fn(&[u8]) -> Outcome + Send + Sync>;

/// A format that is read.
pub struct Format {
    /// What people call it.
    pub name: &'static str,
    /// How many of the mutations are of this format, beside the others.
    pub share: usize,
    /// Files that are as they should be.
    pub seeds: Vec<Vec<u8>>,
    /// Whether they are JSON.
    pub is_json: bool,
    /// Parts of this format's own that are put in.
    pub parts: &'static [&'static str],
    /// Reads such a file, and uses it as the program would.
    pub read: Reader,
}

fn formats() -> Vec<Format> {
    let all = [
        model::formats(),
        gguf::formats(),
        tokenizer::formats(),
        chat::formats(),
        results::formats(),
        text::formats(),
        folders::formats(),
        zip::formats(),
    ];
    all.into_iter().flatten().collect()
}

/// Which format a mutation is of, and the file.
fn case(formats: &[Format], number: usize) -> (&Format, Vec<u8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(number as u64);
    let total: usize = formats.iter().map(|format| format.share).sum();
    let mut at = rng.random_range(0..total);
    let format = formats.iter().find(|format| {
        let is_it = at < format.share;
        at = at.saturating_sub(format.share);
        is_it
    });
    let format = format.expect("the shares are those of the formats");
    let seed = &format.seeds[rng.random_range(0..format.seeds.len())];
    (format, mutate::mutated(seed, format, &mut rng))
}

/// What reading a file led to: the outcome, or the panic that escaped; and how long it took.
fn tried(format: &Format, file: &[u8]) -> (Outcome, Duration) {
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (format.read)(file)));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Outcome::Wrong(format!("a panic escaped: {}", text.unwrap_or_default()))
    });
    (outcome, started.elapsed())
}

/// What is wrong with a case when nothing else runs, if anything is.
fn fault(formats: &[Format], number: usize) -> Option<String> {
    let (format, file) = case(formats, number);
    // A machine that does other things too makes one try slow, and not three.
    let mut slowest = Duration::MAX;
    for _ in 0..3 {
        let before = memory::reset();
        let (outcome, took) = tried(format, &file);
        let peak = memory::peak().saturating_sub(before);
        if let Outcome::Wrong(why) = outcome {
            return Some(format!("{number} ({}): {why}", format.name));
        }
        if peak > MOST {
            return Some(format!("{number} ({}): {} MiB of memory", format.name, peak >> 20));
        }
        slowest = slowest.min(took);
        if slowest < LONGEST {
            return None;
        }
    }
    Some(format!("{number} ({}): {slowest:.1?}", format.name))
}

/// Ends the test where a case never ends.
fn watch(running: &[Mutex<Option<(usize, Instant)>>], done: &AtomicUsize, workers: usize) {
    while done.load(Ordering::Relaxed) < workers {
        std::thread::sleep(Duration::from_millis(200));
        for slot in running {
            let slot = *slot.lock().unwrap();
            if let Some((number, since)) = slot.filter(|(_, since)| since.elapsed() > ENDLESS) {
                eprintln!("mutation {number} has no end: {:?}", since.elapsed());
                std::process::abort();
            }
        }
    }
}

/// MiB that stay in use beyond [`MOST`]: whoever was left behind with a template may end what it is at, and
/// may not gather more and more.
fn memory_kept(at_first: usize) -> usize {
    let more = || memory::now().saturating_sub(at_first + MOST) >> 20;
    let begun = Instant::now();
    while more() > 0 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
    }
    more()
}

fn asked(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|number| number.parse().expect("a number"))
}

#[test]
fn no_mutation_of_a_file_does_harm() {
    let formats = formats();
    // What is as it should be is used: else nothing behind the first check would be tried.
    for format in &formats {
        for (i, seed) in format.seeds.iter().enumerate() {
            match tried(format, seed).0 {
                Outcome::Used => {}
                Outcome::Refused => panic!("{}, file {i} is refused as it is", format.name),
                Outcome::Wrong(why) => panic!("{}, file {i}: {why}", format.name),
            }
        }
    }
    if let Some(number) = asked("SLIMGPT_MUTATION") {
        let (format, file) = case(&formats, number);
        eprintln!("{}:\n{}", format.name, String::from_utf8_lossy(&file[..file.len().min(4000)]));
        assert_eq!(fault(&formats, number), None);
        return;
    }
    let at_first = memory::reset();
    let (started, count) = (Instant::now(), asked("SLIMGPT_MUTATIONS").unwrap_or(USUAL));
    let (next, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let suspects = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let running: Vec<Mutex<Option<(usize, Instant)>>> = (0..workers).map(|_| Mutex::new(None)).collect();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&running, &done, workers));
        for slot in &running {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    if number % 10_000 == 0 && number > 0 {
                        eprintln!("{number} of {count}, {:.0?}, {} MiB in use", started.elapsed(), memory::now() >> 20);
                    }
                    let (format, file) = case(&formats, number);
                    *slot.lock().unwrap() = Some((number, Instant::now()));
                    let before = memory::reset();
                    let (outcome, took) = tried(format, &file);
                    let is_suspect = took > LONGEST || memory::peak().saturating_sub(before) > MOST;
                    used.fetch_add(usize::from(matches!(outcome, Outcome::Used)), Ordering::Relaxed);
                    if is_suspect || matches!(outcome, Outcome::Wrong(_)) {
                        suspects.lock().unwrap().push(number);
                    }
                }
                *slot.lock().unwrap() = None;
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    let used = used.into_inner();
    eprintln!("{count} mutations in {:.0?}, of which {used} were used and the rest refused", started.elapsed());
    let faults: Vec<String> = suspects.into_inner().unwrap().iter().filter_map(|&n| fault(&formats, n)).collect();
    assert!(faults.is_empty(), "{} of {count} mutations do harm:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(memory_kept(at_first), 0, "MiB are still in use after all is done");
    assert!(used > count / 50, "hardly anything was used: {used} of {count}");
}
