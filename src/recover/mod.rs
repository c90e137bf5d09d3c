//! Recovery: training a pruned model until it is again as good as its size allows, with one layer on the
//! device at a time.
//!
//! ```text
//! data        rows or texts → tokens and what counts of them; some are held out
//! learnt      low-rank factors, norms or all weights, with AdamW's moments, on the host
//! step        forward and backward through the layers (crate::gradient), clipped, one update
//! run         steps, held-out loss, state every so often, the best kept; stopped and resumed to the byte
//! out         the merged folder, and the adapter by itself
//! chosen      heads and channels to prune, by training while they are shut (LoRAPrune, Compresso)
//! ```

mod adam;
mod adapter;
mod batches;
mod chosen;
mod data;
mod error;
mod events;
mod job;
mod learnt;
mod limits;
mod record;
mod run;
mod schedule;
mod settings;
mod state;
mod step;
mod teacher;
mod write;

pub use adapter::{FOLDER as ADAPTER, check as check_adapter};
pub use chosen::{Choice, Choosing, Lesson, Training};
pub use data::{Data, Example, Format, Source};
pub use error::RecoverError;
pub use events::{Event, Flow};
pub use job::Job;
pub use limits::{RecoveryPlan, plan};
pub use record::{HeldOut, Record, StepRecord};
pub use run::{begun, recover};
pub use schedule::rate;
pub use settings::{Counted, Length, Settings, Targets, Train};
