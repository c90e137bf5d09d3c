//! Processes that were started together (`mpirun -n 8 slimgpt …`): the first does what was typed, and all others work
//! for it without a word.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use slimgpt::ranks::{Crew, Launched, launched};

use super::{exit, out};

// One for the process.
static CREW: OnceLock<Arc<Crew>> = OnceLock::new();

/// The processes that work for this one, if there are any.
pub fn crew() -> Option<&'static Arc<Crew>> {
    CREW.get()
}

/// What a launcher says of this process, if one has started it among others.
fn told() -> Option<Launched> {
    launched(|name| std::env::var(name).ok())
}

/// Ends a process that cannot be one of several. Only the first says why.
fn refused(rank: usize, why: &str) -> ExitCode {
    if rank == 0 {
        out::error(format_args!("error: {why}"));
    }
    ExitCode::from(exit::WRONG_USAGE)
}

#[cfg(all(feature = "mpi", unix))]
pub use with_mpi::{First, join};

#[cfg(all(feature = "mpi", unix))]
mod with_mpi {
    use slimgpt::ranks::{Post, World};
    use slimgpt::session::work_for_first;

    use super::*;
    use crate::cli::interrupt::Interrupt;

    /// The first of several processes, as long as it is kept.
    pub struct First(World);

    impl First {
        /// Lets the others go, after the last word was said.
        pub fn leave(self) {
            // Whoever is still at work, and on what, nobody knows.
            if !crew().is_some_and(|crew| crew.leave()) {
                self.0.abort(exit::FAILED);
            }
        }
    }

    /// Joins the others if there are any. The first goes on; of any other this is all, and it ends with a code.
    ///
    /// # Errors
    /// With that code.
    pub fn join() -> Result<Option<First>, ExitCode> {
        let Some(told) = told() else { return Ok(None) };
        // Once in a program.
        let Some(world) = World::join() else { return Ok(None) };
        let post = world.post();
        if post.count() != told.count {
            let why = format!(
                "{} processes were started, but MPI knows of {}: they were started by another MPI than this program was \
                 built with",
                told.count,
                post.count()
            );
            return Err(refused(told.rank, &why));
        }
        if post.rank() > 0 {
            return Err(work(&world, &post));
        }
        // Set once, here.
        let _ = CREW.set(Arc::new(Crew::new(Box::new(post))));
        Ok(Some(First(world)))
    }

    /// Works for the first until that lets this one go.
    fn work(world: &World, post: &dyn Post) -> ExitCode {
        multiply_with_others(post.machine().processes);
        // A signal that ends a program goes to all of its processes, and the first tells the others to end.
        Interrupt::ignore();
        match work_for_first(post) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                out::error(format_args!("error: process {} of those that share the work: {error}", post.rank()));
                world.abort(exit::FAILED)
            }
        }
    }

    /// Makes this thread one of those that multiply, and of so many processes on this machine each has its share of the
    /// cores. The first has all: it solves while the others wait.
    fn multiply_with_others(processes: usize) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let own = rayon::ThreadPoolBuilder::new().num_threads((cores / processes).max(1)).use_current_thread();
        // Who has begun to multiply already goes on as before.
        let _ = own.build_global();
    }
}

#[cfg(not(all(feature = "mpi", unix)))]
pub use without_mpi::{First, join};

#[cfg(not(all(feature = "mpi", unix)))]
mod without_mpi {
    use super::*;

    /// There is no first of several.
    pub enum First {}

    impl First {
        /// Lets nobody go.
        pub fn leave(self) {
            match self {}
        }
    }

    const WITHOUT: &str = "this program was built without MPI, so each of the processes that were started would do the whole \
        work for itself, at the same place; build it with the feature mpi (cargo install --path . --features mpi), or start it \
        once, with --device given several times for several devices of this machine";

    /// Goes on alone, and refuses to be one of several.
    ///
    /// # Errors
    /// With the code that the process ends with.
    pub fn join() -> Result<Option<First>, ExitCode> {
        match told() {
            None => Ok(None),
            Some(told) => Err(refused(told.rank, WITHOUT)),
        }
    }
}
