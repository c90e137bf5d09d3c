//! The way back through layers that lack a half.

use slimgpt::gradient::{Taylor, importance};
use slimgpt::shape::Site::{Channels, Heads};

use super::*;

const HALVES: [(usize, slimgpt::shape::Site); 3] = [(0, Channels), (1, Heads), (2, Channels)];

fn model() -> Model {
    Model::llama(json!({ "num_hidden_layers": 4, "tie_word_embeddings": false }))
}

#[test]
fn a_half_that_is_not_there_is_gone_by() {
    let half = model().without(&HALVES).open();
    for (device, lengths) in [(Device::cpu(), [11, 6]), (software_gpu(), [7, 5])] {
        check(&half, lengths, &device, |_, block| block);
        check(&half, lengths, &device, |layer, block| if layer == 1 { block.no_grad() } else { block });
    }
}

/// What is left learns as it does beside halves that add nothing.
#[test]
fn gradients_are_those_beside_halves_that_add_nothing() {
    let device = Device::cpu();
    let batches = batches(32, [9, 6]);
    let of = |checkpoint: &Checkpoint, keep: Keep| {
        let blocks = layers(checkpoint, &device, |_, block| block);
        one_at_a_time(checkpoint, &blocks, &batches, &device, keep)
    };
    let (half, silenced) = (model().without(&HALVES).open(), model().silenced(&HALVES).open());
    let (loss, got, taps) = of(&half, Keep::Inputs(Placement::Host));
    let (want_loss, want, want_taps) = of(&silenced, Keep::Inputs(Placement::Host));
    assert!((loss / want_loss - 1.0).abs() < 1e-6, "{loss} {want_loss}");
    for (name, gradient) in &got {
        assert_near(gradient, &want[name], 1e-5, name);
    }
    assert!(!got.contains_key("1 self_attn.q_proj.weight") && !got.contains_key("2 mlp.up_proj.weight"));
    assert!(got.contains_key("1 mlp.up_proj.weight") && got.contains_key("2 input_layernorm.weight"));
    for (got, want) in taps.iter().flatten().zip(want_taps.iter().flatten()) {
        for (got, want) in [(&got.attention, &want.attention), (&got.feed_forward, &want.feed_forward)] {
            assert_near(&doubles(got.clone()), &doubles(want.clone()), 1e-5, "taps");
        }
    }
    let (_, kept, _) = of(&half, Keep::Graphs);
    assert!(kept == got, "what is computed again is what was computed");
}

#[test]
fn importance_is_that_of_the_units_that_there_are() {
    let windows = [tokens(12, 32, 1), tokens(9, 32, 2)];
    let of = |checkpoint: &Checkpoint| {
        block_on(importance(checkpoint, &windows, Taylor::Element, &Device::cpu(), &mut |_, _| true)).unwrap()
    };
    let (half, silenced) = (of(&model().without(&HALVES).open()), of(&model().silenced(&HALVES).open()));
    assert!(half[1].heads.is_empty() && half[1].kv_heads.is_empty() && half[1].of_groups().is_empty());
    assert!(half[0].channels.is_empty() && half[2].channels.is_empty());
    assert_near(&half[1].channels, &silenced[1].channels, 1e-5, "channels of layer 1");
    assert_near(&half[2].heads, &silenced[2].heads, 1e-5, "heads of layer 2");
    assert_near(&half[3].kv_heads, &silenced[3].kv_heads, 1e-5, "key/value heads of layer 3");
}
