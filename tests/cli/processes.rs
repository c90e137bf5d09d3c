//! A program without MPI that a launcher starts as one of several: it refuses, and says so once.

use crate::{ended, program};

/// What Open MPI's launcher tells a process.
fn launched(arguments: &[&str], count: &str, rank: &str) -> crate::Ended {
    ended(program(arguments).env("OMPI_COMM_WORLD_SIZE", count).env("OMPI_COMM_WORLD_RANK", rank))
}

#[test]
fn one_of_several_is_refused_before_it_does_anything() {
    launched(&["prune", "no-such-model", "--out", "out"], "3", "0").with(2).saying(&[
        "without MPI",
        "cargo install --path . --features mpi",
        "--device",
    ]);
    let other = launched(&["devices"], "3", "2").with(2);
    assert_eq!((other.out.as_str(), other.err.as_str()), ("", ""));
}

#[test]
fn one_alone_is_none_of_several() {
    let alone = launched(&["--version"], "1", "0").with(0);
    assert!(alone.out.starts_with("slimgpt "), "{}", alone.out);
}
