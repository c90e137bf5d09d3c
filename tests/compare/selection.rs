//! What a ranking removes, against numbers worked out by hand.
//!
//! ```text
//! column            0            1            2            3
//! W             (1, 2)      (−2, 1)   (0.5, 0.5)     (3, −1)
//! x at 3 tokens  1 1 1  0.1 −0.1 0        4 −4 0  0.5 0.5 0.8
//! ‖W_:j‖²            5            5          0.5           10
//! mean|W|·‖X‖     2.60         0.21         2.83         2.14
//! Var·‖W‖²           0         0.05            8          0.3
//! ```

use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, Executor, HeadCut, HeadLayout, HeadUnit, Hessian, Options, Pruned, Ranking,
    Reconstruction, Selection, WgpuExecutor, prune_channels, prune_heads,
};

use crate::support::{matrix, random, software_gpu};

const W: [f32; 8] = [1.0, -2.0, 0.5, 3.0, 2.0, 1.0, 0.5, -1.0];
const X: [f32; 12] = [1.0, 0.1, 4.0, 0.5, 1.0, -0.1, -4.0, 0.5, 1.0, 0.0, 0.0, 0.8];

fn options(ranking: Ranking) -> Options {
    Options { selection: Selection::Ranking(ranking), reconstruction: Reconstruction::Unchanged, ..Options::default() }
}

fn channels<E: Executor>(executor: &E, device: &Device, ranking: Ranking, remove: usize) -> Pruned {
    let mut hessian = Hessian::with_means(executor, 4);
    block_on(hessian.accumulate(executor, &matrix(&X, [3, 4], device))).unwrap();
    let weight = matrix(&W, [2, 4], device);
    let steps = ChannelSteps::OneByOne;
    block_on(prune_channels(executor, &weight, &hessian, remove, steps, &options(ranking))).unwrap()
}

fn order(pruned: &Pruned) -> Vec<usize> {
    pruned.removed.iter().map(|r| r.unit).collect()
}

fn check(ranking: Ranking, want: [usize; 3]) {
    let gpu = software_gpu();
    let cpu = channels(&CpuExecutor::<f32>::new(), &Device::cpu(), ranking, 3);
    let on_gpu = channels(&WgpuExecutor::new(gpu.tensor_device()), &gpu, ranking, 3);
    assert_eq!(order(&cpu), want, "{ranking:?} on the CPU");
    assert_eq!(order(&on_gpu), want, "{ranking:?} on the GPU");
}

#[test]
fn magnitude_takes_the_smallest_columns_and_of_equals_the_first() {
    check(Ranking::Magnitude, [2, 0, 1]);
}

#[test]
fn wanda_sp_takes_the_smallest_products_of_weights_and_inputs() {
    check(Ranking::WandaSp, [1, 3, 0]);
}

#[test]
fn flap_takes_what_fluctuates_least_however_large_it_is() {
    check(Ranking::Fluctuation, [0, 1, 3]);
}

#[test]
fn the_scores_are_those_of_the_table() {
    let executor = CpuExecutor::<f64>::new();
    let scores = |ranking| -> Vec<f64> {
        let removed = channels(&executor, &Device::cpu(), ranking, 3).removed;
        removed.iter().map(|r| r.score).collect()
    };
    let close = |got: Vec<f64>, want: [f64; 3]| {
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?} {want:?}");
    };
    close(scores(Ranking::Magnitude), [0.5, 5.0, 5.0]);
    close(scores(Ranking::WandaSp), [1.5 * 0.02f64.sqrt(), 2.0 * 1.14f64.sqrt(), 1.5 * 3f64.sqrt()]);
    // Squared, as FLAP's code sums over a head.
    close(scores(Ranking::Fluctuation), [0.0, 0.05f64.powi(2), 0.3f64.powi(2)]);
}

#[test]
fn what_stays_unchanged_has_the_weights_it_had() {
    let pruned = channels(&CpuExecutor::<f32>::new(), &Device::cpu(), Ranking::Magnitude, 2);
    assert_eq!(pruned.kept_columns, [1, 3]);
    let weight = block_on(pruned.weight.to_data_async()).unwrap().try_to_vec::<f32>().unwrap();
    assert_eq!(weight, [-2.0, 3.0, 1.0, -1.0]);
    assert!(pruned.bias_change.is_none());
}

#[test]
fn a_head_is_scored_by_the_sum_over_its_columns() {
    let executor = CpuExecutor::<f64>::new();
    let mut hessian = Hessian::with_means(&executor, 4);
    block_on(hessian.accumulate(&executor, &matrix(&X, [3, 4], &Device::cpu()))).unwrap();
    let weight = matrix(&W, [2, 4], &Device::cpu());
    let layout = HeadLayout { heads: 2, kv_heads: 2, head_dim: 2 };
    for (ranking, score) in [
        (Ranking::Magnitude, 10.0),
        (Ranking::WandaSp, 1.5 * (3f64.sqrt() + 0.02f64.sqrt())),
        (Ranking::Fluctuation, 0.05f64.powi(2)),
    ] {
        let pruned = block_on(prune_heads(
            &executor,
            &weight,
            &hessian,
            layout,
            HeadCut::of(HeadUnit::KeyValue, 1),
            &options(ranking),
        ));
        let pruned = pruned.unwrap();
        assert_eq!((order(&pruned), pruned.kept_columns), (vec![0], vec![2, 3]), "{ranking:?}");
        assert!((pruned.removed[0].score - score).abs() < 1e-6, "{ranking:?}: {}", pruned.removed[0].score);
    }
}

#[test]
fn every_group_of_query_heads_loses_the_same_number_by_rank_too() {
    let executor = CpuExecutor::<f32>::new();
    let weight = matrix(&random(24, 3), [2, 12], &Device::cpu());
    let mut hessian = Hessian::new(&executor, 12);
    block_on(hessian.accumulate(&executor, &matrix(&random(60, 4), [5, 12], &Device::cpu()))).unwrap();
    let layout = HeadLayout { heads: 6, kv_heads: 2, head_dim: 2 };
    for seed in 0..8 {
        let options = options(Ranking::Random { seed });
        let pruned =
            block_on(prune_heads(&executor, &weight, &hessian, layout, HeadCut::of(HeadUnit::Query, 2), &options))
                .unwrap();
        let kept = pruned.kept_units;
        assert!(kept.len() == 2 && kept[0] < 3 && kept[1] >= 3, "{kept:?}");
    }
}

#[test]
fn a_seed_draws_the_same_and_another_seed_another_choice() {
    let draw = |seed| order(&channels(&CpuExecutor::<f32>::new(), &Device::cpu(), Ranking::Random { seed }, 3));
    assert_eq!(draw(5), draw(5));
    assert!((0..16).any(|seed| draw(seed) != draw(5)));
}
