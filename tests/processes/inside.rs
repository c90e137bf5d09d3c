//! What a process does inside of MPI: this very program, started by the launcher for one of its tests.

use std::process::Command;
use std::time::{Duration, Instant};

use slimgpt::ranks::{Crew, Kind, Post, Ranks, RanksError, Task, World, serve};

use crate::{ended, mpirun};

/// Names the part that a started process plays.
const PART: &str = "SLIMGPT_TEST_PART";

/// Three processes that play this part.
fn three(part: &str) -> Command {
    let mut command = mpirun(3, &std::env::current_exe().unwrap());
    command.args(["inside::started", "--exact", "--nocapture"]).env(PART, part);
    command
}

/// What a started process does; nothing where nobody has started it so.
#[test]
fn started() {
    let Ok(part) = std::env::var(PART) else { return };
    let world = World::join().expect("the first time");
    let post = world.post();
    assert_eq!(post.count(), 3);
    match part.as_str() {
        "messages" => messages(&post),
        "sums" => sums(world.post()),
        "panic" if post.rank() == 1 => panic!("a fault of our own"),
        // Which never sends anything.
        "panic" => drop(post.receive(1)),
        other => panic!("no part is called {other}"),
    }
}

/// Around what MPI sends at once, and much more.
const SIZES: [usize; 8] = [0, 1, 4095, 4096, 4097, 65_536, 65_537, 9 << 20];

fn content(size: usize, of: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + of) as u8).collect()
}

/// The others send all sizes at once, and get each back from the first.
fn messages(post: &dyn Post) {
    if post.rank() == 0 {
        for from in [2, 1] {
            for size in SIZES {
                while post.next(from).is_none() {
                    std::thread::yield_now();
                }
                assert_eq!(post.next(from), Some(Kind::Data));
                let (kind, message) = post.receive(from);
                assert!(kind == Kind::Data && message == content(size, from), "{size} bytes of {from}");
                post.send(from, Kind::End, &message);
            }
        }
        assert_eq!([1, 2].map(|from| post.next(from)), [None, None]);
    } else {
        for size in SIZES {
            post.send(0, Kind::Data, &content(size, post.rank()));
            let (kind, message) = post.receive(0);
            assert!(kind == Kind::End && message == content(size, post.rank()), "{size} bytes");
        }
    }
}

/// The order of the ranks shows in the sum: in double precision 1e16 + 1 is 1e16, so the first is 0, and 1 in any other.
const VALUES: [[f64; 2]; 3] = [[1e16, 1.0], [1.0, 2.0], [-1e16, 4.0]];

fn sum(ranks: &dyn Ranks) -> Result<[f64; 2], RanksError> {
    let mut values = VALUES[ranks.rank()];
    // Whoever is late changes nothing.
    std::thread::sleep(Duration::from_millis([20, 10, 0][ranks.rank()]));
    ranks.sum(&mut values)?;
    ranks.check()?;
    Ok(values)
}

fn sums(post: impl Post + 'static) {
    if post.rank() > 0 {
        return serve(&post, |_, ranks| (0..5).try_for_each(|_| sum(ranks).map(drop))).unwrap();
    }
    let crew = Crew::new(Box::new(post));
    for task in [Task::Prune, Task::Measure] {
        let five = crew.lead(task, |ranks| (0..5).map(|_| sum(ranks)).collect::<Result<Vec<_>, _>>());
        assert_eq!(five, Ok((Ok(vec![[0.0, 7.0]; 5]), vec![Ok(()); 2])));
    }
    assert!(crew.leave());
}

#[test]
fn messages_of_all_sizes_come_whole_and_in_order() {
    ended(three("messages"), 0);
}

#[test]
fn sums_are_taken_in_the_order_of_the_ranks() {
    ended(three("sums"), 0);
}

#[test]
fn a_panic_in_one_ends_all() {
    let began = Instant::now();
    let (_, said) = ended(three("panic"), 101);
    assert_eq!(said.matches("a fault of our own").count(), 1, "{said}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
