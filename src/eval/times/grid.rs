//! A function of two counts that grows with both, known at the corners of a grid.

use std::collections::BTreeSet;

/// Values at all pairs of some rows and some columns, growing along both.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    rows: Vec<usize>,
    columns: Vec<usize>,
    /// By row, then column.
    values: Vec<Vec<f64>>,
}

impl Grid {
    /// The grid of measured values; `None` unless there is exactly one for each pair of a row and a column.
    ///
    /// Fewer units cannot take longer, but measurements waver: each value is moved to the middle between the largest of
    /// what is no larger than its pair and the smallest of what is no smaller. Values that grow stay what they are.
    pub fn of(measured: Vec<([usize; 2], f64)>) -> Option<Self> {
        let along = |axis: usize| -> Vec<usize> {
            measured.iter().map(|(at, _)| at[axis]).collect::<BTreeSet<usize>>().into_iter().collect()
        };
        let (rows, columns) = (along(0), along(1));
        let at = |pair: [usize; 2]| measured.iter().find(|(at, _)| *at == pair).map(|(_, value)| *value);
        let pairs = rows.iter().flat_map(|&row| columns.iter().map(move |&column| [row, column]));
        let is_whole = measured.len() == rows.len() * columns.len() && pairs.clone().all(|pair| at(pair).is_some());
        if !is_whole || measured.is_empty() {
            return None;
        }
        let smoothed = |[row, column]: [usize; 2]| {
            let of = |is_in: &dyn Fn([usize; 2]) -> bool| {
                measured.iter().filter(|(at, _)| is_in(*at)).map(|(_, value)| *value).collect::<Vec<f64>>()
            };
            let below = of(&|at| at[0] <= row && at[1] <= column).into_iter().fold(f64::NEG_INFINITY, f64::max);
            let above = of(&|at| at[0] >= row && at[1] >= column).into_iter().fold(f64::INFINITY, f64::min);
            0.5 * (below + above)
        };
        let values = rows.iter().map(|&row| columns.iter().map(|&column| smoothed([row, column])).collect()).collect();
        Some(Self { rows, columns, values })
    }

    /// The value at a pair: along lines between the corners around it, and beyond the grid that of its edge.
    pub fn at(&self, [row, column]: [usize; 2]) -> f64 {
        let ((top, bottom, down), (left, right, across)) = (between(&self.rows, row), between(&self.columns, column));
        let along = |row: usize| mixed(self.values[row][left], self.values[row][right], across);
        mixed(along(top), along(bottom), down)
    }

    /// The value where nothing is left, which nobody has measured: a line to there, from the fewest of both counts.
    ///
    /// It falls as between the two fewest of a count or as over all of them, whichever is less: what wavers between two
    /// neighbours promises little. And what takes its time however few there are (a norm, the start of a kernel) is left
    /// in, though it would go too: less is said to be saved than is.
    pub fn nothing(&self) -> f64 {
        let fewest = self.values[0][0];
        let down: Vec<f64> = self.values.iter().map(|row| row[0]).collect();
        let lines = [(&self.rows, &down), (&self.columns, &self.values[0])];
        // Of one count the other tells.
        let Some((knots, values)) = lines.into_iter().find(|(knots, _)| knots.len() > 1) else { return fewest };
        let slope = |i: usize| (values[i] - fewest) / (knots[i] - knots[0]) as f64;
        fewest - slope(1).min(slope(knots.len() - 1)) * knots[0] as f64
    }
}

fn mixed(from: f64, to: f64, part: f64) -> f64 {
    from + part * (to - from)
}

/// The places of the two knots around `x`, and how far it is from the first to the second.
fn between(knots: &[usize], x: usize) -> (usize, usize, f64) {
    let above = knots.partition_point(|&knot| knot < x);
    match above {
        0 => (0, 0, 0.0),
        _ if above == knots.len() => (above - 1, above - 1, 0.0),
        _ => {
            let (low, high) = (knots[above - 1], knots[above]);
            (above - 1, above, (x - low) as f64 / (high - low) as f64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(values: [[f64; 3]; 3]) -> Grid {
        let (rows, columns) = ([1, 4, 6], [1, 2, 8]);
        let pairs = (0..3).flat_map(|i| (0..3).map(move |j| ([rows[i], columns[j]], values[i][j])));
        Grid::of(pairs.collect()).unwrap()
    }

    #[test]
    fn what_grows_is_met_and_lines_lie_between() {
        let grid = grid([[1.0, 2.0, 8.0], [2.0, 4.0, 10.0], [2.0, 5.0, 12.0]]);
        for (at, value) in [([1, 1], 1.0), ([4, 2], 4.0), ([6, 8], 12.0), ([4, 5], 7.0), ([2, 1], 1.0 + 1.0 / 3.0)] {
            assert!((grid.at(at) - value).abs() < 1e-12, "{at:?}");
        }
        // The middle of four corners.
        assert!((grid.at([5, 5]) - (4.0 + 10.0 + 5.0 + 12.0) / 4.0).abs() < 1e-12);
        assert_eq!((grid.at([9, 9]), grid.at([0, 0])), (12.0, 1.0));
    }

    #[test]
    fn to_nothing_it_falls_as_it_falls_least() {
        // From 1 to 4 rows by a third each, from 1 to 6 by a fifth each.
        let steep = grid([[1.0, 2.0, 8.0], [2.0, 4.0, 10.0], [2.0, 5.0, 12.0]]);
        assert!((steep.nothing() - (1.0 - 0.2)).abs() < 1e-12);
        let flat = grid([[1.0, 2.0, 8.0], [1.0, 4.0, 10.0], [2.0, 5.0, 12.0]]);
        assert_eq!(flat.nothing(), 1.0);
        let one = |pairs: &[([usize; 2], f64)]| Grid::of(pairs.to_vec()).unwrap().nothing();
        assert_eq!(one(&[([3, 2], 5.0)]), 5.0);
        assert_eq!(one(&[([3, 2], 5.0), ([3, 4], 7.0)]), 3.0);
    }

    #[test]
    fn whatever_was_measured_it_never_falls() {
        // Numbers without an order, as of a machine that others use too.
        for seed in 0..50u64 {
            let noise = |i: u64| ((seed * 31 + i * 17) * 2_654_435_761 % 1000) as f64 / 100.0;
            let grid = grid([0, 3, 6].map(|i| [0, 1, 2].map(|j| noise(i + j))));
            for row in 0..8 {
                for column in 0..10 {
                    let here = grid.at([row, column]);
                    let (down, across) = (grid.at([row + 1, column]), grid.at([row, column + 1]));
                    assert!(down >= here - 1e-12 && across >= here - 1e-12, "{seed}: {row}, {column}");
                }
            }
        }
    }

    #[test]
    fn a_grid_has_every_pair_once() {
        assert!(Grid::of(vec![]).is_none());
        let three = vec![([1, 1], 1.0), ([1, 2], 1.0), ([2, 1], 1.0)];
        assert!(Grid::of(three.clone()).is_none());
        let twice = [three, vec![([2, 1], 2.0)]].concat();
        assert!(Grid::of(twice).is_none());
    }
}
