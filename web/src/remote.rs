//! The worker that computes on the shipped model, as the page sees it: started with the first job,
//! stopped by ending it, always with words for its state.
//!
//! A native build has no worker: there a job is never answered, and a page drawn as text shows the
//! worker idle.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod inert;
mod work;

use std::collections::BTreeMap;

use leptos::prelude::*;
use slimgpt_worker::protocol::{Event, Job, News, On, Progress, Request};

#[cfg(target_arch = "wasm32")]
use browser::Channel;
#[cfg(not(target_arch = "wasm32"))]
use inert::Channel;
pub use work::Work;

/// What the worker is at.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// Nothing is loaded yet, or nothing is to be done.
    #[default]
    Idle,
    /// The module or the model arrives; `total` is 0 as long as nobody knows it.
    Loading {
        /// Bytes that are there.
        done: u64,
        /// Bytes of all files.
        total: u64,
    },
    /// A job is computed, on a device once one is open.
    Computing(Option<On>),
    /// The worker ended by itself, for the reason in words.
    Failed(String),
}

/// Who hears of a job.
type Told = Box<dyn FnMut(News)>;

/// The worker of a page; one for all lessons, found in the context.
#[derive(Clone, Copy)]
pub struct Remote {
    state: RwSignal<State>,
    inner: StoredValue<Inner, LocalStorage>,
}

#[derive(Default)]
struct Inner {
    channel: Option<Channel>,
    /// The number of the last job; numbers go on when a fresh worker starts.
    last: u32,
    waiting: BTreeMap<u32, Told>,
    /// The last job of those that ended with their worker, and the reason in words.
    ended: Option<(u32, String)>,
    /// Whether the GPU is left alone.
    cpu: bool,
}

impl Remote {
    /// Gives the page its worker, which starts with the first job.
    pub fn provide() -> Self {
        let remote = Self { state: RwSignal::default(), inner: StoredValue::new_local(Inner::default()) };
        provide_context(remote);
        remote
    }

    /// The page's worker; where none was provided, one of the caller's own.
    pub fn of_page() -> Self {
        use_context().unwrap_or_else(Self::provide)
    }

    /// What the worker is at.
    pub fn state(self) -> Signal<State> {
        self.state.into()
    }

    /// Starts a job; `told` hears of it until it is done or failed. Returns the job's number.
    pub fn run(self, job: Job, told: impl FnMut(News) + 'static) -> u32 {
        // In the table before it is sent: where sending fails it hears of that.
        let id = self.inner.try_update_value(|inner| {
            inner.last += 1;
            inner.waiting.insert(inner.last, Box::new(told));
            inner.last
        });
        let id = id.unwrap_or_default();
        if self.state.with_untracked(|s| matches!(s, State::Idle | State::Failed(_))) {
            self.state.set(State::Computing(None));
        }
        if let Err(words) = self.send(&Request { id, job, cpu: self.inner.with_value(|inner| inner.cpu) }) {
            self.fail(words);
        }
        id
    }

    /// Ends whatever is computed; what the worker kept goes with it. The next job starts a fresh one.
    pub fn stop(self, words: impl Into<String>) {
        self.end(State::Idle, words.into());
    }

    /// From the next job on the GPU is left alone.
    pub fn use_cpu(self) {
        self.inner.update_value(|inner| inner.cpu = true);
    }

    fn send(self, request: &Request) -> Result<(), String> {
        let text = serde_json::to_string(request).map_err(|e| e.to_string())?;
        let sent = self.inner.try_update_value(|inner| {
            // Opened late: most readers never touch a lesson on a model, whose module is ten times the page's.
            if inner.channel.is_none() {
                inner.channel = Some(Channel::open(self)?);
            }
            inner.channel.as_ref().map_or(Ok(()), |channel| channel.send(&text))
        });
        sent.unwrap_or(Ok(()))
    }

    /// Takes what the worker says, an event as JSON.
    pub fn hear(self, text: &str) {
        match serde_json::from_str::<Event>(text) {
            Ok(event) => self.take(event),
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn take(self, Event { id, news, broken }: Event) {
        if let (true, News::Failed(words)) = (broken, &news) {
            // The job is among those that end with it.
            return self.fail(words.clone());
        }
        if let News::Progress(progress) = &news {
            self.follow(progress);
        }
        let ends = !matches!(news, News::Progress(_));
        // Out of the table while it is called: who hears of an end may start the next job.
        let told = self.inner.try_update_value(|inner| inner.waiting.remove(&id)).flatten();
        let Some(mut told) = told else { return };
        if !ends {
            told(news);
            return self.put_back(id, told);
        }
        // Before it is told of its end: who hears that may start the next job, which sets the state again.
        if self.inner.with_value(|inner| inner.waiting.is_empty()) {
            self.state.set(State::Idle);
        }
        told(news);
    }

    /// Into the table again after some progress, unless who heard of it has ended the worker.
    fn put_back(self, id: u32, told: Told) {
        let ended = self.inner.try_update_value(|inner| match &inner.ended {
            Some((last, words)) if id <= *last => Some((told, words.clone())),
            _ => {
                inner.waiting.insert(id, told);
                None
            }
        });
        // The others were told while this one was out of the table.
        if let Some((mut told, words)) = ended.flatten() {
            told(News::Failed(words));
        }
    }

    fn follow(self, progress: &Progress) {
        match progress {
            Progress::Loading { done, total } => self.state.set(State::Loading { done: *done, total: *total }),
            Progress::Opened(on) => {
                self.state.set(State::Computing(Some(on.clone())));
            }
            Progress::Working { .. } | Progress::Written(_) => {}
        }
    }

    /// The worker is of no use any more: its jobs end, and the next starts a fresh one.
    fn fail(self, words: String) {
        self.end(State::Failed(words.clone()), words);
    }

    fn end(self, state: State, words: String) {
        let waiting = self.inner.try_update_value(|inner| {
            // Dropped: ends the worker.
            inner.channel = None;
            inner.ended = Some((inner.last, words.clone()));
            std::mem::take(&mut inner.waiting)
        });
        // Before the jobs hear of it: who does may start the next one, which sets the state again.
        self.state.set(state);
        for mut told in waiting.unwrap_or_default().into_values() {
            told(News::Failed(words.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use slimgpt_worker::protocol::{Answer, Stage};

    use super::*;

    type Heard = Rc<RefCell<Vec<News>>>;

    fn job() -> Job {
        Job::Download { number: 1 }
    }

    fn event(id: u32, news: News) -> String {
        serde_json::to_string(&Event { id, news, broken: false }).unwrap()
    }

    fn progress() -> News {
        News::Progress(Progress::Working { done: 1, total: 2, stage: Stage::Pruning })
    }

    /// Starts a job that keeps what it hears, and does something about it.
    fn start(remote: Remote, act: impl Fn(&News) + 'static) -> (u32, Heard) {
        let heard = Heard::default();
        let keep = heard.clone();
        let told = move |news: News| {
            keep.borrow_mut().push(news.clone());
            act(&news);
        };
        (remote.run(job(), told), heard)
    }

    #[test]
    fn a_job_that_the_end_of_another_starts_is_not_taken_for_ended() {
        Owner::new().with(|| {
            let ends: [fn(Remote); 2] = [|remote| remote.stop("stopped"), |remote| remote.fail("broken".into())];
            for end in ends {
                let remote = Remote::provide();
                let next = Rc::new(RefCell::new(None));
                let (started, is_first) = (next.clone(), Rc::new(RefCell::new(true)));
                start(remote, move |_| {
                    if is_first.replace(false) {
                        *started.borrow_mut() = Some(start(remote, |_| {}));
                    }
                });
                end(remote);
                assert_eq!(remote.state().get_untracked(), State::Computing(None));
                let (id, heard) = next.take().expect("it was started");
                remote.hear(&event(id, News::Done(Answer::Text("done".into()))));
                assert_eq!(*heard.borrow(), [News::Done(Answer::Text("done".into()))]);
                assert_eq!(remote.state().get_untracked(), State::Idle);
            }
        });
    }

    #[test]
    fn a_job_that_stops_the_worker_while_it_hears_of_progress_ends_too() {
        Owner::new().with(|| {
            let remote = Remote::provide();
            let (id, heard) = start(remote, move |news| {
                if matches!(news, News::Progress(_)) {
                    remote.stop("stopped");
                }
            });
            let (_, other) = start(remote, |_| {});
            remote.hear(&event(id, progress()));
            assert_eq!(*heard.borrow(), [progress(), News::Failed("stopped".into())]);
            assert_eq!(*other.borrow(), [News::Failed("stopped".into())]);
            // The worker of before says no more; a job of the next is not kept from being the last.
            remote.hear(&event(id, progress()));
            assert_eq!(heard.borrow().len(), 2);
            let (id, heard) = start(remote, |_| {});
            remote.hear(&event(id, progress()));
            remote.hear(&event(id, News::Done(Answer::Text("done".into()))));
            assert_eq!(heard.borrow().len(), 2);
            assert_eq!(remote.state().get_untracked(), State::Idle);
        });
    }
}
