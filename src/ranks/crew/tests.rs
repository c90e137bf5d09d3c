//! Processes that are threads with channels between them: work by all, whatever ends it, and the work after that.

use super::*;

#[path = "../../../tests/support/channels.rs"]
mod channels;

use channels::channels;

const GRACE: Duration = Duration::from_millis(300);

/// What the first does with two others that do `work`, and how each of them left.
fn with_two<T>(
    first: impl FnOnce(&Crew) -> T,
    work: impl Fn(Task, &dyn Ranks) -> Result<(), RanksError> + Sync,
) -> (T, Vec<Result<(), RanksError>>) {
    let work = &work;
    std::thread::scope(|scope| {
        let mut posts = channels(3).into_iter();
        // In here: when the first panics, the others lose their post.
        let crew = Crew { grace: GRACE, ..Crew::new(Box::new(posts.next().unwrap())) };
        let others: Vec<_> = posts.map(|post| scope.spawn(move || serve_within(GRACE, &post, work))).collect();
        let done = first(&crew);
        crew.leave();
        (done, others.into_iter().map(|other| other.join().unwrap()).collect())
    })
}

/// The sum of everybody's place, counted from 1, in each of so many rounds.
fn sums(rounds: usize, ranks: &dyn Ranks) -> Result<Vec<f64>, RanksError> {
    let mut all = Vec::new();
    for _ in 0..rounds {
        let mut values = [1.0 + ranks.rank() as f64];
        ranks.sum(&mut values)?;
        all.extend(numbers(&ranks.broadcast(bytemuck::cast_slice(&values).to_vec())?)?);
    }
    Ok(all)
}

fn numbers(message: &[u8]) -> Result<Vec<f64>, RanksError> {
    super::super::numbers(message, 1)
}

#[test]
fn all_do_the_work_that_the_first_begins() {
    let lead = |crew: &Crew| {
        [Task::Measure, Task::Prune].map(|task| {
            let work = |ranks: &dyn Ranks| {
                tell(ranks, &("about", 7))?;
                let reports = reports(ranks, &0_usize, "a report")?;
                ranks.check()?;
                Ok::<_, RanksError>((reports, sums(3, ranks)?))
            };
            crew.lead(task, work).unwrap()
        })
    };
    let (done, left) = with_two(lead, |task, ranks| {
        let about: (String, usize) = hear(ranks, "what it is about")?;
        assert_eq!(about, ("about".into(), 7));
        let own = usize::from(task == Task::Prune) * 10 + ranks.rank();
        assert!(reports(ranks, &own, "a report")?.is_empty());
        sums(3, ranks).map(|heard| assert_eq!(heard, [6.0; 3]))
    });
    for (task, (led, followed)) in done.into_iter().enumerate() {
        assert_eq!(led, Ok((vec![0, 10 * task + 1, 10 * task + 2], vec![6.0; 3])));
        assert_eq!(followed, [Ok(()), Ok(())]);
    }
    assert_eq!(left, [Ok(()), Ok(())]);
}

#[test]
fn whoever_fails_ends_all_and_the_next_work_begins_anew() {
    for failing in 0..3 {
        for (error, heard) in [
            (RanksError::OutOfMemory, RanksError::OutOfMemory),
            (RanksError::OutOfStep("numbers"), RanksError::Failed(RanksError::OutOfStep("numbers").to_string())),
        ] {
            let work = |task: Task, ranks: &dyn Ranks| {
                // One fails between two messages.
                if task == Task::Measure && ranks.rank() == failing {
                    ranks.gather(vec![0; 8])?;
                    return Err(error.clone());
                }
                sums(if task == Task::Measure { 100 } else { 2 }, ranks)
            };
            let lead = |crew: &Crew| {
                [Task::Measure, Task::Prune].map(|task| crew.lead(task, |ranks| work(task, ranks)).unwrap())
            };
            let ([(led, followed), (next, all)], left) = with_two(lead, |task, ranks| work(task, ranks).map(drop));
            let own =
                |rank: usize, told: &RanksError| Err(if rank == failing { told.clone() } else { RanksError::Ended });
            assert_eq!(led.map(drop), own(0, &error), "{failing}");
            assert_eq!(followed, [own(1, &heard), own(2, &heard)], "{failing}");
            assert_eq!((next, all), (Ok(vec![6.0; 2]), vec![Ok(()); 2]), "{failing}");
            assert_eq!(left, [Ok(()), Ok(())]);
        }
    }
}

#[test]
fn who_works_alone_is_ended_too() {
    let failing = |_: Task, ranks: &dyn Ranks| match ranks.rank() {
        1 => Err(RanksError::OutOfMemory),
        // Between messages.
        _ => loop {
            ranks.check()?;
            std::thread::sleep(NAP);
        },
    };
    let (led, _) = with_two(|crew| crew.lead(Task::Prune, |ranks| failing(Task::Prune, ranks)).unwrap(), failing);
    let own: Result<(), RanksError> = Err(RanksError::Ended);
    assert_eq!(led, (own, vec![Err(RanksError::OutOfMemory), Err(RanksError::Ended)]));
}

#[test]
fn who_has_done_its_part_ends_nobody() {
    let part = |_: Task, ranks: &dyn Ranks| {
        // The others are over while the first is still at work.
        std::thread::sleep(if ranks.is_first() { GRACE } else { Duration::ZERO });
        ranks.check()
    };
    let (led, left) = with_two(|crew| crew.lead(Task::Prune, |ranks| part(Task::Prune, ranks)).unwrap(), part);
    assert_eq!(led, (Ok(()), vec![Ok(()); 2]));
    assert_eq!(left, [Ok(()), Ok(())]);
}

#[test]
fn who_does_not_answer_is_waited_for_only_so_long() {
    let began = Instant::now();
    let lead = |crew: &Crew| {
        let led = crew.lead(Task::Prune, |_| Err::<(), _>(RanksError::OutOfMemory)).unwrap();
        // Nobody knows what the silent one is at.
        (led, crew.lead(Task::Prune, |_| Ok::<_, RanksError>(())).map(drop), crew.leave())
    };
    let mut posts = channels(2).into_iter();
    let crew = Crew { grace: GRACE, ..Crew::new(Box::new(posts.next().unwrap())) };
    let (led, next, has_left) = lead(&crew);
    assert_eq!(led, (Err(RanksError::OutOfMemory), vec![Err(RanksError::Silent)]));
    assert_eq!((next, has_left), (Err(RanksError::Silent), false));
    assert!(began.elapsed() >= GRACE && began.elapsed() < 10 * GRACE, "{:?}", began.elapsed());
}

#[test]
fn a_failure_that_the_first_does_not_hear_of_is_returned() {
    let mut posts = channels(2).into_iter();
    let (first, other) = (posts.next().unwrap(), posts.next().unwrap());
    first.send(1, Kind::Task, &encoded(&Task::Open).unwrap());
    let done = serve_within(GRACE, &other, |_, _| Err(RanksError::OutOfStep("a device")));
    assert_eq!(done, Err(RanksError::OutOfStep("a device")));
    assert_eq!(first.receive(1).0, Kind::End);
}

#[test]
fn what_is_said_of_a_failure_is_short() {
    let long = RanksError::Failed("é".repeat(5000));
    assert_eq!(heard(&told(&Err(long))), Err(RanksError::Failed("é".repeat(MOST_SAID))));
    assert_eq!(heard(&[]), Err(RanksError::OutOfStep("how work ended")));
}
