//! Examples to batches: those of near length together, filled up on the right.

use super::Example;
use crate::gradient::Batch;
use crate::model::Dropout;

/// The examples of a step in batches of at most `most`. Each token that counts weighs so much that all of them
/// together weigh one.
pub(super) fn batches(examples: &[&Example], most: usize, dropout: Option<Dropout>) -> Vec<Batch> {
    // Over the whole step: where it is cut into batches then changes no more than last bits.
    let counted: usize = examples.iter().map(|example| example.counted()).sum();
    let weight = 1.0 / counted.max(1) as f32;
    let mut sorted: Vec<&Example> = examples.to_vec();
    // Stable, so that examples of one length stay in their order.
    sorted.sort_by_key(|example| std::cmp::Reverse(example.tokens.len()));
    let cut = sorted.chunks(most.max(1)).enumerate();
    // By a seed of its own for each batch, or the same places would be dropped in all.
    cut.map(|(i, together)| Batch { dropout: dropout.map(|d| d.at(i as u32)), ..batch(together, weight) }).collect()
}

fn batch(examples: &[&Example], weight: f32) -> Batch {
    let length = examples.iter().map(|example| example.tokens.len()).max().unwrap_or(0);
    let filled = |example: &Example| {
        let mut tokens = example.tokens.clone();
        // Attention looks only back, so what stands behind the end changes nothing before it.
        tokens.resize(length, 0);
        tokens
    };
    let weights = |example: &Example| {
        let mut weights: Vec<f32> = example.counts.iter().map(|&counts| if counts { weight } else { 0.0 }).collect();
        // What only fills up counts nothing.
        weights.resize(length - 1, 0.0);
        weights
    };
    let has_documents = examples.iter().any(|example| !example.documents.is_empty());
    let documents = |example: &Example| {
        let mut documents = example.documents.clone();
        let last = documents.last().copied().unwrap_or(0);
        documents.resize(length - 1, last);
        // The last token of a row is only predicted, so it needs no document.
        documents.truncate(length - 1);
        documents
    };
    Batch {
        tokens: examples.iter().map(|example| filled(example)).collect(),
        weights: examples.iter().map(|example| weights(example)).collect(),
        documents: if has_documents { examples.iter().map(|example| documents(example)).collect() } else { Vec::new() },
        dropout: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(tokens: &[u32], counts: &[bool], documents: &[u32]) -> Example {
        Example { tokens: tokens.to_vec(), counts: counts.to_vec(), documents: documents.to_vec() }
    }

    #[test]
    fn near_lengths_go_together_and_all_weigh_one() {
        let (a, b) = (example(&[1, 2], &[true], &[]), example(&[3, 4, 5, 6], &[false, true, true], &[0, 0, 1, 1]));
        let c = example(&[7, 8, 9], &[true, true], &[]);
        let cut = batches(&[&a, &b, &c], 2, Some(Dropout { share: 0.1, seed: 1 }));
        assert_eq!(
            cut.iter().map(|batch| batch.tokens.clone()).collect::<Vec<_>>(),
            [vec![vec![3, 4, 5, 6], vec![7, 8, 9, 0]], vec![vec![1, 2]]]
        );
        assert_eq!(cut[0].weights, [[0.0, 0.2, 0.2], [0.2, 0.2, 0.0]]);
        assert_eq!(cut[0].documents, [[0, 0, 1], [0, 0, 0]]);
        assert!(cut[1].documents.is_empty() && cut[0].dropout != cut[1].dropout);
        assert!((cut.iter().map(Batch::weight).sum::<f64>() - 1.0).abs() < 1e-6);
    }
}
