//! Whether a launcher of MPI (mpirun, srun) has started this process among others.

/// Variables by which launchers tell how many processes there are and which this one is: Open MPI's; MPICH's, Intel MPI's
/// and those of `srun` with PMI-2; MVAPICH2's; those of `srun` with PMIx, whose own of the two is there for its steps alone.
const TELLING: [(&str, &str); 4] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
    ("SLURM_STEP_NUM_TASKS", "PMIX_RANK"),
];

/// One of several processes that were started together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launched {
    /// How many there are: two or more.
    pub count: usize,
    /// Which this one is, from 0.
    pub rank: usize,
}

/// What the environment, asked by `variable`, tells; `None` where this process is alone.
pub fn launched(variable: impl Fn(&str) -> Option<String>) -> Option<Launched> {
    let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
    let told = TELLING.iter().find_map(|&(count, rank)| Some(Launched { count: number(count)?, rank: number(rank)? }));
    told.filter(|launched| launched.count > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Option<(usize, usize)>) {
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let expected = expected.map(|(count, rank)| Launched { count, rank });
        assert_eq!(launched(of), expected, "{variables:?}");
    }

    #[test]
    fn launchers_are_known_by_what_they_tell() {
        check(&[], None);
        for (count, rank) in TELLING {
            check(&[(count, "8"), (rank, "3")], Some((8, 3)));
            check(&[(count, "1"), (rank, "0")], None);
            // A script in a job of Slurm's has the count and was started once.
            check(&[(count, "8")], None);
            check(&[(count, "many"), (rank, "0")], None);
        }
    }
}
