//! How many operations the ways to the inverses of an elimination take: what speaks for one factor,
//! for groups, and for correcting an inverse instead of computing it again.
//!
//! Multiplications and additions are counted alike, and only the leading term: with n columns,
//!
//! ```text
//! factor      A = L Lᵀ                            n³/3
//! inverse     the factor, L⁻¹, and L⁻ᵀ L⁻¹        n³/3 + n³/3 + n³/3 = n³
//! correction  A⁻¹ − a aᵀ / a_p                    2 n²
//! ```
//!
//! as in Golub and Van Loan, "Matrix Computations", 4th edition, sections 4.2 and 3.1. What moves the
//! weights is left out: it is the same work on every way.

/// One Cholesky factor of a matrix of order `n`.
pub fn factor(n: usize) -> f64 {
    inverse(n) / 3.0
}

/// The inverse of a symmetric positive definite matrix of order `n`.
pub fn inverse(n: usize) -> f64 {
    (n as f64).powi(3)
}

/// Inverting what is left of `columns` before every group of these sizes goes: Σ (what is left)³.
pub fn inverting(columns: usize, sizes: &[usize]) -> f64 {
    let before = sizes.iter().scan(columns, |left, &size| {
        let now = *left;
        *left = left.saturating_sub(size);
        Some(now)
    });
    before.map(inverse).sum()
}

/// Inverting `columns` once, and correcting the inverse whenever one of `removed` columns goes.
pub fn correcting(columns: usize, removed: usize) -> f64 {
    inverse(columns) + removed as f64 * 2.0 * (columns as f64).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations of the three loops, each product with its addition counted as two.
    fn counted(n: usize) -> [f64; 3] {
        let triangle = |inner: fn(usize, usize, usize) -> usize| -> f64 {
            let entries = (0..n).flat_map(|i| (0..=i).map(move |j| (i, j)));
            entries.map(|(i, j)| 2.0 * inner(i, j, n) as f64).sum()
        };
        // L_ij = (A_ij − Σ_{k<j} L_ik L_jk) / L_jj; [L⁻¹]_ij = −Σ_{j≤k<i} L_ik [L⁻¹]_kj / L_ii;
        // [L⁻ᵀ L⁻¹]_ij = Σ_{k≥i} [L⁻¹]_ki [L⁻¹]_kj.
        [triangle(|_, j, _| j), triangle(|i, j, _| i - j), triangle(|i, _, n| n - i)]
    }

    #[test]
    fn the_formulas_are_what_the_loops_do() {
        let n = 300;
        let loops = counted(n);
        let near = |formula: f64, count: f64| (formula / count - 1.0).abs() < 0.02;
        assert!(near(factor(n), loops[0]), "{} {loops:?}", factor(n));
        assert!(near(inverse(n), loops.iter().sum()), "{} {loops:?}", inverse(n));
    }

    #[test]
    fn what_is_left_is_inverted_before_every_group() {
        assert_eq!(inverting(4, &[1, 1, 1, 1]), 64.0 + 27.0 + 8.0 + 1.0);
        assert_eq!(inverting(4, &[3, 1]), 64.0 + 1.0);
        assert_eq!(inverting(4, &[]), 0.0);
        // Two operations for each of 16 elements.
        assert_eq!(correcting(4, 3), 64.0 + 3.0 * 32.0);
    }
}
