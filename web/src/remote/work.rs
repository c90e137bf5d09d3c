//! A lesson's job at the worker: how far it is, in words, with a way to stop it and to try again.

use leptos::prelude::*;
use slimgpt_worker::protocol::{Answer, Job, News, On, Progress, Stage};

use super::{Remote, State};
use crate::text::say;

/// What became of a lesson's last job.
#[derive(Clone, Debug, Default, PartialEq)]
enum Status {
    #[default]
    Idle,
    /// Steps of a stage; no stage before the first.
    Running(Option<(usize, usize, Stage)>),
    Done,
    Stopped,
    Failed(String),
}

/// The jobs of one lesson, of which one runs at a time.
#[derive(Clone, Copy)]
pub struct Work {
    remote: Remote,
    status: RwSignal<Status>,
    /// Where it was computed last.
    on: RwSignal<Option<On>>,
}

impl Work {
    /// Nothing is asked for yet.
    pub fn new() -> Self {
        Self { remote: Remote::of_page(), status: RwSignal::default(), on: RwSignal::default() }
    }

    /// Whether a job runs.
    pub fn is_busy(self) -> bool {
        matches!(self.status.get(), Status::Running(_))
    }

    /// Starts a job; `answered` takes its answer, `written` pieces of a text before that.
    pub fn start(
        self,
        job: Job,
        mut written: impl FnMut(String) + 'static,
        mut answered: impl FnMut(Answer) + 'static,
    ) {
        self.status.set(Status::Running(None));
        self.remote.run(job, move |news| match news {
            News::Progress(Progress::Written(piece)) => written(piece),
            News::Progress(progress) => self.follow(progress),
            News::Done(answer) => {
                self.status.set(Status::Done);
                answered(answer);
            }
            // What the reader stopped has not failed.
            News::Failed(words) => self.status.update(|status| {
                if *status != Status::Stopped {
                    *status = Status::Failed(words);
                }
            }),
        });
    }

    fn follow(self, progress: Progress) {
        match progress {
            Progress::Working { done, total, stage } => self.status.set(Status::Running(Some((done, total, stage)))),
            Progress::Opened(on) => self.on.set(Some(on)),
            Progress::Loading { .. } | Progress::Written(_) => {}
        }
    }

    fn stop(self) {
        // First: ending the worker tells all jobs that they failed, this one too.
        self.status.set(Status::Stopped);
        self.remote.stop(say::worker_stopped());
    }

    fn words(self) -> String {
        match self.status.get() {
            Status::Idle => say::worker_idle().to_string(),
            Status::Running(Some((done, total, stage))) => {
                let percent = 100 * done / total.max(1);
                format!("{} {}", stage_words(stage), say::worker_progress(done, total, percent))
            }
            Status::Running(None) => match self.remote.state().get() {
                State::Loading { done, total } => {
                    say::worker_loading(slimgpt::format::bytes(done), slimgpt::format::bytes(total))
                }
                _ => say::worker_starting().to_string(),
            },
            Status::Done => say::worker_finished().to_string(),
            Status::Stopped => say::worker_stopped().to_string(),
            Status::Failed(reason) => say::worker_failed(reason),
        }
    }

    /// The line that tells how far it is, and the button that goes with it. `again` starts the job anew.
    pub fn view(self, again: impl Fn() + Copy + Send + Sync + 'static) -> impl IntoView {
        let button = move || match self.status.get() {
            Status::Running(_) => Some(
                view! { <button type="button" on:click=move |_| self.stop()>{say::worker_stop()}</button> }.into_any(),
            ),
            Status::Failed(_) => {
                let again_button =
                    view! { <button type="button" on:click=move |_| again()>{say::worker_try_again()}</button> };
                Some(view! { {again_button} {self.cpu_button(again)} }.into_any())
            }
            _ => None,
        };
        let is_failure = move || matches!(self.status.get(), Status::Failed(_));
        view! {
            <div class="worker" class:failed=is_failure>
                <p role="status">{move || self.words()}</p>
                {move || self.on.get().map(|on| view! { <p class="device">{device_words(on)}</p> })}
                {button}
            </div>
        }
    }
}

impl Work {
    /// For who has lost the GPU: the same job without it.
    fn cpu_button(self, again: impl Fn() + Copy + Send + Sync + 'static) -> Option<impl IntoView> {
        let without_gpu = move |_| {
            self.remote.use_cpu();
            again();
        };
        let had_gpu = self.on.get().is_some_and(|on| on.gpu);
        had_gpu.then(|| view! { <button type="button" on:click=without_gpu>{say::worker_use_cpu()}</button> })
    }
}

fn device_words(on: On) -> String {
    match on.gpu {
        true => say::worker_on_gpu(on.name),
        false => say::worker_on_cpu().to_string(),
    }
}

impl Default for Work {
    fn default() -> Self {
        Self::new()
    }
}

fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::MeasuringDense => say::worker_measuring_dense(),
        Stage::Pruning => say::worker_pruning(),
        Stage::MeasuringPruned => say::worker_measuring_pruned(),
        Stage::Comparing => say::worker_comparing(),
    }
}
