//! The steps of a recovery, from its state to its result.

use std::path::Path;

use super::learnt::Learnt;
use super::state::{self, Progress, Values};
use super::step::Trainer;
use super::{Event, Example, Flow, HeldOut, Job, Record, RecoverError, RecoveryPlan, write};
use crate::checkpoint::Checkpoint;
use crate::device::Peak;
use crate::disk;
use crate::pipeline::{Begun, Fingerprint, Timing, Work};
use crate::place::{Kind, Place};

/// Seconds of work that may be lost when the process dies.
const SAVE_SECONDS: f64 = 60.0;

/// Trains the job's model into the folder `out`, or goes on where an interrupted run of the same job was.
///
/// # Errors
/// [`RecoverError::Stopped`] when `on_event` says so; otherwise when something cannot be computed, read or written.
/// The state that was kept last stays.
pub async fn recover(
    job: &Job<'_>,
    out: &Path,
    overwrite: bool,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Record, RecoverError> {
    let fingerprint = job.fingerprint()?;
    let reads: Vec<_> =
        [Some(job.checkpoint), job.teacher].into_iter().flatten().filter_map(Checkpoint::folder).collect();
    let reads: Vec<_> = reads.into_iter().map(Path::to_owned).collect();
    let finished = |out: &Path| finished(out).filter(|record| record.run_id == fingerprint.digest());
    let place = Place::new(out, Kind::Recovered, overwrite);
    let mut work = match Work::open(place, &fingerprint, &reads, overwrite, finished)? {
        Begun::Finished(record) => {
            on_event(ended(&record));
            return Ok(record);
        }
        Begun::Work(work) => work,
    };
    let mut run = Run::begin(job, &work, on_event)?;
    if let Err(error) = run.learn().await {
        // Whoever goes on with less on the device goes on from here.
        if error.is_out_of_memory() {
            run.save()?;
        }
        return Err(error);
    }
    // Before the writing, whose time cannot stand in what is written.
    let timing = run.timing();
    if run.tell(Event::Writing) == Flow::Stop {
        return run.stop();
    }
    let record = run.record(&fingerprint, timing);
    write::write(job, &mut work, &run.kept(), &record)?;
    run.tell(ended(&record));
    Ok(record)
}

/// The plan by which a run like the job was begun at `out`, or finished there: its own, one of the smaller
/// micro-batches that a device without room for more has led to, or one of larger ones, for which more was free then.
///
/// # Errors
/// When the model cannot be read.
pub fn begun(out: &Path, job: &Job<'_>) -> Result<RecoveryPlan, RecoverError> {
    let working = Work::run_of(&Place::new(out, Kind::Recovered, false)).map(|run| run.digest());
    let made = finished(out).map(|record| record.run_id);
    let smaller = std::iter::successors(Some(job.plan.clone()), RecoveryPlan::with_smaller_batches);
    let larger = |plan: &RecoveryPlan| plan.with_larger_batches(job.settings.batch);
    for plan in smaller.chain(std::iter::successors(larger(job.plan), larger)) {
        let own = Some(Job { plan: &plan, ..*job }.fingerprint()?.digest());
        if own == working || own == made {
            return Ok(plan);
        }
    }
    Ok(job.plan.clone())
}

/// What is recorded of a finished recovery.
fn finished(out: &Path) -> Option<Record> {
    let record = disk::read_within(&out.join(Record::FILE), disk::REPORT).ok()?;
    serde_json::from_slice(&record).ok()
}

fn ended(record: &Record) -> Event {
    let held_out = record.held_out_change().map(|[_, after]| after);
    Event::Finished { kept: record.kept, held_out }
}

/// A run between two events.
struct Run<'a, 'e> {
    job: &'a Job<'a>,
    trainer: Trainer<'a>,
    progress: Progress,
    /// The numbers of the best look, where they are not those of now.
    best: Option<Values>,
    state: std::path::PathBuf,
    started: f64,
    saved: f64,
    on_event: &'e mut dyn FnMut(Event) -> Flow,
}

impl<'a, 'e> Run<'a, 'e> {
    fn begin(job: &'a Job<'a>, work: &Work, on_event: &'e mut dyn FnMut(Event) -> Flow) -> Result<Self, RecoverError> {
        let (started, spill) = ((job.clock)(), Some(work.spill()));
        let device = job.device.tensor_device();
        let mut trainer = Trainer::new(job.checkpoint, job.teacher, job.settings, job.plan, device, spill)?;
        let state = work.folder().join(Work::STATE);
        let (progress, best) = state::load(&state, &mut trainer.learnt)?.unwrap_or_default();
        let mut run = Self { job, trainer, progress, best, state, started, saved: started, on_event };
        let planned = Event::Planned {
            settings: Box::new(job.settings.clone()),
            plan: Box::new(job.plan.clone()),
            examples: job.data.learnt.len(),
            held_out: job.data.held_out.len(),
            steps: job.steps(),
            parameters: run.trainer.learnt.count(),
        };
        let resumed = (run.progress.done > 0).then_some(Event::Resumed { done: run.progress.done, steps: job.steps() });
        for event in std::iter::once(planned).chain(resumed) {
            if run.tell(event) == Flow::Stop {
                return run.stop();
            }
        }
        Ok(run)
    }

    /// All steps that are left.
    async fn learn(&mut self) -> Result<(), RecoverError> {
        let steps = self.job.steps();
        loop {
            // Before the first step too: against that loss it is told what was gained.
            if self.is_look_due() {
                self.look().await?;
            }
            if self.progress.done >= steps || self.has_no_patience() {
                return Ok(());
            }
            self.step(steps).await?;
        }
    }

    async fn step(&mut self, steps: usize) -> Result<(), RecoverError> {
        let examples = self.job.data.of_step(self.progress.done, self.job.settings);
        let step = self.progress.done + 1;
        let Some(record) = self.trainer.step(&examples, step, steps, self.on_event).await? else { return self.stop() };
        if !(record.loss.is_finite() && record.gradient_norm.is_finite()) {
            // Nothing was changed by it, so what is kept is the step before.
            self.save()?;
            let from = self.progress.done % self.job.data.learnt.len().div_ceil(self.job.settings.batch)
                * self.job.settings.batch;
            let sequences = format!("{} to {} of its epoch", from + 1, from + examples.len());
            return Err(RecoverError::NotFinite { step, loss: record.loss, sequences, kept: self.progress.done });
        }
        self.progress.done = step;
        self.progress.steps.push(record);
        let flow = self.tell(Event::Step(record));
        if flow == Flow::Stop {
            return self.stop();
        }
        if (self.job.clock)() - self.saved > SAVE_SECONDS {
            self.save()?;
        }
        Ok(())
    }

    /// Whether the held-out sequences are to be looked at now.
    fn is_look_due(&self) -> bool {
        let done = self.progress.done;
        let is_seen = self.progress.held_out.last().is_some_and(|look| look.step == done);
        // After the last step in any case: it may be the best.
        let is_turn = done.is_multiple_of(self.job.settings.eval_every.max(1)) || done == self.job.steps();
        !self.job.data.held_out.is_empty() && is_turn && !is_seen
    }

    async fn look(&mut self) -> Result<(), RecoverError> {
        let held_out: Vec<&Example> = self.job.data.held_out.iter().collect();
        let Some(loss) = self.trainer.look(&held_out, self.on_event).await? else { return self.stop() };
        if !loss.is_finite() {
            // No later loss would be below it, so it must not become the best.
            let (step, kept) = (self.progress.done, self.progress.done);
            return Err(RecoverError::NotFinite { step, loss, sequences: "that are held out".into(), kept });
        }
        let look = HeldOut { step: self.progress.done, loss };
        self.progress.held_out.push(look);
        // Strictly less: of equals the earlier is kept.
        match self.progress.best.is_none_or(|best| look.loss < best.loss) {
            true => {
                self.progress.best = Some(look);
                self.progress.since_best = 0;
                self.best = Some(values(&self.trainer.learnt));
            }
            false => self.progress.since_best += 1,
        }
        // At every look, because the best numbers are nowhere but in memory.
        self.save()?;
        if self.tell(Event::HeldOut(look)) == Flow::Stop {
            return self.stop();
        }
        if let Some(best) = self.progress.best.filter(|_| self.has_no_patience()) {
            self.tell(Event::Patience { kept: best.step });
        }
        Ok(())
    }

    fn has_no_patience(&self) -> bool {
        self.job.settings.patience.is_some_and(|patience| self.progress.since_best >= patience)
    }

    /// The numbers that the result has: those of the best look, or the last where nothing is held out.
    fn kept(&self) -> Learnt {
        let mut learnt = self.trainer.learnt.clone();
        if let Some(best) = &self.best {
            learnt.iter_mut().zip(best).for_each(|(parameter, values)| parameter.moments.values.clone_from(values));
        }
        learnt
    }

    fn save(&mut self) -> Result<(), RecoverError> {
        self.saved = (self.job.clock)();
        state::save(&self.state, &self.progress, &self.trainer.learnt, self.best.as_ref())
    }

    /// Keeps the state and ends.
    fn stop<T>(&mut self) -> Result<T, RecoverError> {
        self.save()?;
        Err(RecoverError::Stopped { done: self.progress.done, steps: self.job.steps() })
    }

    fn tell(&mut self, event: Event) -> Flow {
        (self.on_event)(event)
    }

    fn timing(&self) -> Timing {
        let Peak { host_bytes: peak_host_bytes, device_bytes: peak_device_bytes } = (self.job.memory)();
        let session_seconds = (self.job.clock)() - self.started;
        let typed = self.job.typed.cloned();
        Timing { session_seconds, layer_seconds: Vec::new(), peak_host_bytes, peak_device_bytes, typed }
    }

    fn record(&self, fingerprint: &Fingerprint, timing: Timing) -> Record {
        let job = self.job;
        let name = |checkpoint: &Checkpoint| checkpoint.folder().map(|path| path.display().to_string());
        Record {
            version: env!("CARGO_PKG_VERSION").into(),
            run_id: fingerprint.digest(),
            source: name(job.checkpoint),
            teacher: job.teacher.and_then(name),
            device: job.device.name().into(),
            settings: job.settings.clone(),
            data: job.sources.to_vec(),
            data_sha256: job.data.sha256(),
            examples: job.data.learnt.len(),
            held_out_examples: job.data.held_out.len(),
            tokens: job.data.counted(),
            parameters: self.trainer.learnt.count(),
            plan: job.plan.clone(),
            kept: self.progress.best.map_or(self.progress.done, |best| best.step),
            steps: self.progress.steps.clone(),
            held_out: self.progress.held_out.clone(),
            timing,
        }
    }
}

fn values(learnt: &Learnt) -> Values {
    learnt.iter().map(|parameter| parameter.moments.values.clone()).collect()
}
