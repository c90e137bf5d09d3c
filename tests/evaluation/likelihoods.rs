//! Log-likelihoods of token ids, and the perplexities made of them, against the f64 oracle.

use pollster::block_on;
use serde_json::json;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::eval::{EvalError, Request, log_likelihoods, perplexity_of, rolling, strided};
use slimgpt::model::{Decoder, Head, token_tensor};

use crate::support::checkpoint::Model;
use crate::support::oracle::Oracle;
use crate::support::{doubles, matrix, random, software_gpu, tokens};

const VOCABULARY: usize = 32;

fn model() -> (Checkpoint, Oracle) {
    let model = Model::llama(json!({}));
    (model.open(), Oracle::new(&model.config_json(), &model.safetensors()))
}

fn request(context: usize, continuation: usize, seed: u64) -> Request {
    let all = tokens(context + continuation, VOCABULARY, seed);
    Request { context: all[..context].to_vec(), continuation: all[context..].to_vec() }
}

/// Σ log p of the continuation of a request that fits.
fn want(oracle: &Oracle, request: &Request) -> f64 {
    let whole = [&request.context[..], &request.continuation].concat();
    // The oracle predicts everything after the first token; what the context predicts is taken off.
    let context = if request.context.len() > 1 { oracle.nll(&request.context) } else { 0.0 };
    context - oracle.nll(&whole)
}

fn asked(
    checkpoint: &Checkpoint,
    requests: &[Request],
    device: &Device,
    batch_tokens: Option<usize>,
) -> Result<Vec<f64>, EvalError> {
    block_on(log_likelihoods(checkpoint, requests, device, batch_tokens, &mut |_, _| {}))
}

#[test]
fn batches_of_any_size_give_the_same_likelihoods() {
    let (checkpoint, oracle) = model();
    let mut requests: Vec<Request> =
        [(1, 1), (7, 3), (1, 33), (40, 1), (7, 1), (63, 1), (1, 64)].iter().map(|&(c, k)| request(c, k, 5)).collect();
    // Another token after the same context.
    requests.push(Request { continuation: vec![(requests[3].continuation[0] + 1) % 32], ..requests[3].clone() });
    for device in [Device::cpu(), software_gpu()] {
        for batch_tokens in [Some(1), Some(70), Some(128), None] {
            let found = asked(&checkpoint, &requests, &device, batch_tokens).unwrap();
            for (got, request) in found.iter().zip(&requests) {
                let want = want(&oracle, request);
                assert!((got / want - 1.0).abs() < 1e-4, "{} {batch_tokens:?}: {got} {want}", device.name());
            }
        }
    }
}

#[test]
fn several_devices_find_what_one_finds() {
    let (checkpoint, _) = model();
    let requests: Vec<Request> = (0..9).map(|i| request(1 + i, 20, i as u64)).collect();
    for one in [Device::cpu(), software_gpu()] {
        let three = one.clone().with(vec![one.clone(); 2]).unwrap();
        // As many batches as devices and more, and one batch, with which two have nothing to do.
        for batch_tokens in [Some(30), Some(100), None] {
            let what = format!("{} {batch_tokens:?}", three.name());
            let alone = asked(&checkpoint, &requests, &one, batch_tokens).unwrap();
            let shared = asked(&checkpoint, &requests, &three, batch_tokens).unwrap();
            for (a, b) in shared.iter().zip(&alone) {
                assert!((a / b - 1.0).abs() < 1e-5, "{what}: {a} {b}");
            }
            assert_eq!(asked(&checkpoint, &requests, &three, batch_tokens).unwrap(), shared, "{what}");
        }
    }
}

#[test]
fn what_is_wrong_is_the_same_on_several_devices() {
    let (checkpoint, _) = model();
    let three = Device::cpu().with(vec![Device::cpu(); 2]).unwrap();
    let wrong = Request { context: Vec::new(), continuation: vec![1] };
    let error = asked(&checkpoint, &[request(1, 1, 0), wrong], &three, None).unwrap_err();
    assert!(matches!(error, EvalError::Request { request: 1, .. }), "{error}");
}

#[test]
fn a_long_context_is_what_is_left_of_it() {
    let (checkpoint, _) = model();
    let long = request(80, 4, 6);
    let left = Request { context: long.context[long.cut_off(64)..].to_vec(), ..long.clone() };
    assert_eq!(left.context.len() + left.continuation.len(), 65);
    let found = asked(&checkpoint, &[long, left], &Device::cpu(), None).unwrap();
    assert_eq!(found[0], found[1]);
}

#[test]
fn progress_reaches_its_end() {
    let (checkpoint, _) = model();
    let requests: Vec<Request> = (0..5).map(|i| request(20, 2, i)).collect();
    let mut seen = Vec::new();
    let mut progress = |done, of| seen.push((done, of));
    block_on(log_likelihoods(&checkpoint, &requests, &Device::cpu(), Some(42), &mut progress)).unwrap();
    // Two rows of 21 tokens a batch, three batches, two layers.
    assert_eq!(seen, (1..=6).map(|done| (done, 6)).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    let (checkpoint, _) = model();
    for wrong in [request(0, 3, 1), request(3, 0, 1), request(1, 65, 1)] {
        let error = asked(&checkpoint, &[wrong], &Device::cpu(), None).unwrap_err();
        assert!(matches!(error, EvalError::Request { request: 0, .. }), "{error}");
    }
}

#[test]
fn rolling_windows_predict_every_token_once() {
    let (checkpoint, oracle) = model();
    let text = tokens(45, VOCABULARY, 9);
    let windows = rolling(&text, 1, 20).unwrap();
    let found = block_on(perplexity_of(&checkpoint, &windows, &Device::cpu(), &mut |_, _| {})).unwrap();
    assert_eq!((found.tokens, found.windows), (45, 3));
    // The first 20 after the prefix, the next 20 after the last of those, the last 5 after all that fits.
    let all = [&[1][..], &text].concat();
    let nll = oracle.nll(&all[..21]) + oracle.nll(&all[20..41]) + oracle.nll(&all[25..46]) - oracle.nll(&all[25..41]);
    assert!((found.nll / nll - 1.0).abs() < 1e-4, "{} {nll}", found.nll);
    assert!((found.perplexity - (found.nll / 45.0).exp()).abs() < 1e-9);
}

#[test]
fn strided_windows_predict_all_tokens_but_the_first_once() {
    let (checkpoint, oracle) = model();
    let text = tokens(45, VOCABULARY, 10);
    let windows = strided(&text, 20, 10).unwrap();
    let found = block_on(perplexity_of(&checkpoint, &windows, &Device::cpu(), &mut |_, _| {})).unwrap();
    assert_eq!((found.tokens, found.windows), (44, 4));
    let new = |begin: usize, from: usize, end: usize| oracle.nll(&text[begin..end]) - oracle.nll(&text[begin..from]);
    let nll = oracle.nll(&text[..20]) + new(10, 20, 30) + new(20, 30, 40) + new(30, 40, 45);
    assert!((found.nll / nll - 1.0).abs() < 1e-4, "{} {nll}", found.nll);
}

/// Embedding and head in three blocks: of likelihoods, of a whole decoder and of the head that training reads.
#[test]
fn a_vocabulary_larger_than_a_device_binds_is_read_to_the_same_bits() {
    let choice = DeviceChoice::Named("llvmpipe".into());
    let narrow = block_on(Device::open_binding(&choice, 1 << 20)).expect("the software adapter");
    for tied in [true, false] {
        let sizes = json!({ "vocab_size": 12_000, "hidden_size": 64, "tie_word_embeddings": tied });
        let model = Model::llama(sizes);
        let (checkpoint, oracle) = (model.open(), Oracle::new(&model.config_json(), &model.safetensors()));
        // One of every block, at the ends of all of them.
        let ends = [0, 4095, 4096, 8191, 8192, 11_999];
        let all = [&ends[..], &tokens(14, 12_000, 3)].concat();
        let asks = [Request { context: all[..1].to_vec(), continuation: all[1..].to_vec() }];
        let read = |device: &Device| {
            let on = device.tensor_device();
            let likelihood = asked(&checkpoint, &asks, device, Some(64)).unwrap()[0];
            let decoder = Decoder::load(&checkpoint, on).unwrap();
            let blocks = decoder.outer.matrix().into_blocks().len();
            let logits = doubles(decoder.forward(token_tensor(std::slice::from_ref(&all), on), checkpoint.config()));
            let head = Head::load(&checkpoint.outer().unwrap(), checkpoint.config(), on).in_chunks_of(1 << 20);
            let sums = doubles(head.log_sum(&matrix(&random(5 * 64, 8), [5, 64], device), 1.0));
            (blocks, likelihood, logits, sums)
        };
        let (whole, cut) = (read(&software_gpu()), read(&narrow));
        assert_eq!((whole.0, cut.0), (1, 3));
        assert!((cut.1 / want(&oracle, &asks[0]) - 1.0).abs() < 1e-4, "{}", cut.1);
        assert_eq!(whole.1, cut.1);
        assert!(whole.2 == cut.2, "the logits have other bits");
        assert_eq!(whole.3, cut.3);
    }
}
