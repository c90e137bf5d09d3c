//! How a continuation ends, and that both devices write the same.

use pollster::block_on;
use serde_json::json;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::model::{Decoder, Sampler, SamplerOptions, Stop, generate};

use crate::support::checkpoint::Model;
use crate::support::{software_gpu, tokens};

fn written(
    checkpoint: &Checkpoint,
    device: &Device,
    prompt: usize,
    most: usize,
    options: SamplerOptions,
) -> (Vec<u32>, Stop) {
    let decoder = Decoder::load(checkpoint, device.tensor_device()).unwrap();
    let mut new = Vec::new();
    let prompt = tokens(prompt, 32, 4);
    let stop = block_on(generate(
        &decoder,
        checkpoint.config(),
        &prompt,
        most,
        &mut Sampler::with(options, 5),
        &mut |token| {
            new.push(token);
            token != u32::MAX
        },
    ));
    (new, stop.unwrap())
}

fn greedy(checkpoint: &Checkpoint, prompt: usize, most: usize) -> (Vec<u32>, Stop) {
    written(checkpoint, &Device::cpu(), prompt, most, SamplerOptions::default())
}

#[test]
fn a_text_ends_at_the_limit_or_with_the_context() {
    let checkpoint = Model::llama(json!({})).open();
    let (new, stop) = greedy(&checkpoint, 7, 9);
    assert_eq!((new.len(), stop), (9, Stop::MaxTokens));
    // A context of 64.
    let (new, stop) = greedy(&checkpoint, 60, 9);
    assert_eq!((new.len(), stop), (4, Stop::Context));
    let (new, stop) = greedy(&checkpoint, 60, 4);
    assert_eq!((new.len(), stop), (4, Stop::MaxTokens));
}

#[test]
fn an_end_of_sequence_token_ends_it_and_is_not_handed_over() {
    let (free, _) = greedy(&Model::llama(json!({})).open(), 7, 20);
    let end = free[3];
    let (new, stop) = greedy(&Model::llama(json!({ "eos_token_id": [end, 31] })).open(), 7, 20);
    let before = free.iter().take_while(|&&t| t != end && t != 31).count();
    assert_eq!((new.as_slice(), stop), (&free[..before], Stop::EndOfText));
}

#[test]
fn who_takes_the_tokens_can_stop() {
    let checkpoint = Model::llama(json!({})).open();
    let decoder = Decoder::load(&checkpoint, Device::cpu().tensor_device()).unwrap();
    let mut taken = 0;
    let stop = block_on(generate(&decoder, checkpoint.config(), &[1], 9, &mut Sampler::new(0.0, 0), &mut |_| {
        taken += 1;
        taken < 3
    }));
    assert_eq!((taken, stop.unwrap()), (3, Stop::Caller));
}

#[test]
fn both_devices_write_the_same() {
    let checkpoint = Model::llama(json!({})).open();
    let drawn = SamplerOptions { temperature: 0.8, top_k: Some(9), top_p: 0.9, repetition_penalty: 1.3 };
    for options in [SamplerOptions::default(), drawn] {
        let [cpu, gpu] = [Device::cpu(), software_gpu()].map(|d| written(&checkpoint, &d, 5, 20, options).0);
        assert_eq!(cpu, gpu, "{options:?}");
    }
}

#[test]
fn a_strong_penalty_repeats_nothing() {
    let checkpoint = Model::llama(json!({})).open();
    let options = SamplerOptions { repetition_penalty: 1e6, ..SamplerOptions::default() };
    let (mut new, _) = written(&checkpoint, &Device::cpu(), 1, 12, options);
    new.extend(tokens(1, 32, 4));
    new.sort_unstable();
    assert!(new.windows(2).all(|pair| pair[0] != pair[1]), "{new:?}");
}
