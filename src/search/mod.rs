//! Where to cut: sizes of layers that are searched for, because no curve knows which layers a model can do without.
//!
//! ```text
//! one pass of the dense model over the calibration text, layer by layer:
//!     curves     H of both sites; one elimination each gives the error after every removal, and weights at some stages
//!     probes     at each stage the divergence KL(dense ‖ this one site cut) on other windows of text
//!     mixed heads    errors of all cuts of key/value heads and query heads together; the probes tell what an error costs
//!     whole sites    on request, the same for a layer without its attention and without its feed-forward part
//! between the stages, log KL goes along with log error, which is known at every count
//! budget         the target: parameters that go, or time of a token by a measured table
//! allocate       the sizes with the least Σ KL that meet it, each layer its own or all alike
//! ```
//!
//! A site is cut alone in an otherwise dense model, so costs are taken to add up. They do not quite: the plan tells what
//! was predicted, and whoever prunes by it measures what was reached. Where there is time,
//!
//! ```text
//! rounds         a part of the target goes, and what the rest costs is measured in the model that is left
//! climb          two sites change, the model is pruned as it will be, and what lowers its divergence as a whole is kept
//! ```

mod allocate;
mod asked;
mod budget;
mod candidate;
mod choices;
mod climb;
mod climbed;
mod curve;
mod error;
mod exchange;
mod judge;
mod kept;
mod map;
mod memory;
mod mixed;
mod moves;
mod plan;
mod probe;
mod rise;
mod run;
mod shapes;
mod shifts;
mod stages;
mod trial;
mod tune;
mod uniform;
mod whole;

pub use asked::{Climb, Effort};
pub use choices::Bounds;
pub use climb::climb;
pub use climbed::{Climbed, Climbing};
pub use curve::{Curve, Cut};
pub use error::SearchError;
pub use map::Map;
pub use memory::search_bytes;
pub use plan::{Found, Rounds, SearchPlan, check_target, part_of, sizes};
pub use rise::candidate;
pub use run::{Event, Search, search};
pub use trial::{Rise, Trial};
pub use tune::{TuneTrial, Tuning};
pub use whole::WholeSite;
