//! All parts of all kinds of model.

use super::*;

#[test]
fn layer_by_layer_they_are_those_of_the_whole_model() {
    let model = Checkpoint::open(&shipped()).unwrap();
    check(&model, [40, 17], &Device::cpu(), |_, block| block);
    check(&model, [9, 5], &software_gpu(), |_, block| block);
}

/// Biases, norms on queries and keys, a head of its own.
#[test]
fn every_kind_of_part_has_its_gradient() {
    let qwen3 = json!({ "model_type": "qwen3", "head_dim": 4, "architectures": ["Qwen3ForCausalLM"] });
    let qwen2 = json!({ "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"] });
    // Norms on both sides, windows and an embedding with a factor; factors everywhere; a layer without positions.
    let gemma3 = json!({
        "model_type": "gemma3_text", "head_dim": 4, "query_pre_attn_scalar": 9, "sliding_window": 4,
        "sliding_window_pattern": 2,
    });
    let granite = json!({
        "model_type": "granite", "embedding_multiplier": 3.0, "residual_multiplier": 0.5, "attention_multiplier": 0.7,
        "logits_scaling": 4.0, "tie_word_embeddings": false,
    });
    let smollm3 = json!({ "model_type": "smollm3", "no_rope_layers": [0, 1] });
    let olmo2 = json!({ "model_type": "olmo2" });
    for changes in [json!({ "tie_word_embeddings": false }), qwen2, qwen3, gemma3, granite, smollm3, olmo2] {
        // The four numbers of a head's norm have gradients that nearly cancel: what is left of their digits depends on the
        // processor, and was 1.6e-5 on one.
        check_to(4e-5, &Model::llama(changes).open(), [11, 6], &Device::cpu(), |_, block| block);
    }
}

#[test]
fn only_what_learns_has_a_gradient() {
    let checkpoint = Model::llama(json!({})).open();
    let only_norms = |_, block: Block| {
        let mut block = block.no_grad();
        let norm = block.attention.as_mut().unwrap().norm.as_mut().unwrap();
        norm.scale = norm.scale.clone().set_require_grad(true);
        block
    };
    check(
        &checkpoint,
        [8, 7],
        &Device::cpu(),
        |layer, block| if layer == 0 { only_norms(layer, block) } else { block },
    );
    let blocks = layers(&checkpoint, &Device::cpu(), only_norms);
    let (_, got, _) = one_at_a_time(&checkpoint, &blocks, &batches(32, [8, 7]), &Device::cpu(), Keep::Graphs);
    assert_eq!(got.keys().filter(|name| name.starts_with('0')).collect::<Vec<_>>(), ["0 input_layernorm.weight"]);
}

/// Kept graphs, inputs on the device and inputs on the host: the same operations, so the same bits.
#[test]
fn what_is_kept_changes_no_bit() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    for device in [Device::cpu(), software_gpu()] {
        let blocks = layers(&checkpoint, &device, |_, block| block);
        let batches = batches(checkpoint.config().vocab_size, [9, 6]);
        let of = |keep| {
            let (loss, all, _) = one_at_a_time(&checkpoint, &blocks, &batches, &device, keep);
            (loss, all)
        };
        let graphs = of(Keep::Graphs);
        assert!(graphs == of(Keep::Inputs(Placement::Host)) && graphs == of(Keep::Inputs(Placement::Device)));
    }
}

#[test]
fn they_are_what_central_differences_of_an_independent_forward_pass_give() {
    let granite = json!({
        "model_type": "granite", "embedding_multiplier": 3.0, "residual_multiplier": 0.5, "attention_multiplier": 0.7,
        "logits_scaling": 2.0, "tie_word_embeddings": false,
    });
    for changes in [json!({ "tie_word_embeddings": false }), granite] {
        as_central_differences(Model::llama(changes));
    }
}

fn as_central_differences(mut model: Model) {
    let sequence = tokens(12, 32, 5);
    let checkpoint = model.open();
    let blocks = layers(&checkpoint, &Device::cpu(), |_, block| block);
    let batch = [Batch::whole(vec![sequence.clone()])];
    let (_, got, _) = one_at_a_time(&checkpoint, &blocks, &batch, &Device::cpu(), Keep::Graphs);
    let nll = |model: &Model| Oracle::new(&model.config_json(), &model.safetensors()).nll(&sequence);
    let step = 1.0 / 512.0;
    let outer = ["embedding", "head", "norm"].into_iter().zip(["embed_tokens.weight", "lm_head.weight", "norm.weight"]);
    let inner = got.keys().filter_map(|name| Some((name.as_str(), name.split_once(' ')?)));
    let inner = inner.map(|(name, (layer, part))| (name, format!("layers.{layer}.{part}")));
    for (name, tensor) in outer.map(|(name, tensor)| (name, tensor.to_owned())).chain(inner) {
        let gradient = &got[name];
        // The entry that matters most: of the others rounding in f32 weighs more.
        let largest = |a: &usize, b: &usize| gradient[*a].abs().total_cmp(&gradient[*b].abs());
        let entry = (0..gradient.len()).max_by(largest).unwrap();
        let mut at = |to: f32| {
            model.tensor(&tensor).values[entry] += to;
            nll(&model)
        };
        let (above, below) = (at(step), at(-2.0 * step));
        at(step);
        let want = (above - below) / (2.0 * f64::from(step));
        assert!((gradient[entry] / want - 1.0).abs() < 1e-3, "{tensor}: {} for {want}", gradient[entry]);
    }
}

/// What attention adds goes on through the feed-forward part; what that adds goes on as it is.
#[test]
fn taps_are_the_gradients_between_the_halves() {
    let checkpoint = Model::llama(json!({})).open();
    let blocks = layers(&checkpoint, &Device::cpu(), |_, block| block);
    let batches = batches(32, [8, 7]);
    let (_, got, taps) = one_at_a_time(&checkpoint, &blocks, &batches, &Device::cpu(), Keep::Graphs);
    let on = Device::cpu();
    for (layer, taps) in taps.iter().enumerate() {
        assert_eq!(taps.len(), 2);
        // ∂L/∂W = Σ g xᵀ, for the last layer's down_proj with x from a forward pass of its own.
        let mut sum = vec![0.0; got[&format!("{layer} mlp.down_proj.weight")].len()];
        for (tap, batch) in taps.iter().zip(&batches) {
            let inputs: Vec<Vec<u32>> = batch.tokens.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
            let config = checkpoint.config();
            let positions = slimgpt::model::Positions::new(config, 0, batch.length(), on.tensor_device());
            let outer = Outer::load(&checkpoint.outer().unwrap(), config, on.tensor_device());
            let mut hidden = outer.embed(token_tensor(&inputs, on.tensor_device()));
            for block in &blocks[..layer] {
                hidden = block.forward(hidden, &positions);
            }
            let context = blocks[layer].context(hidden.clone(), &positions);
            let x = blocks[layer].inner(blocks[layer].add_attention(hidden, context)).unwrap();
            let [b, t, c] = x.dims();
            let [_, _, d] = tap.feed_forward.dims();
            let g = tap.feed_forward.clone().reshape([b * t, d]).transpose();
            let more = doubles(g.matmul(x.reshape([b * t, c])));
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        assert_near(&sum, &got[&format!("{layer} mlp.down_proj.weight")], 1e-5, "down_proj");
    }
}

#[test]
fn tokens_that_count_nothing_change_nothing() {
    let checkpoint = Model::llama(json!({})).open();
    let blocks = layers(&checkpoint, &Device::cpu(), |_, block| block);
    let mut batches = batches(32, [10, 5]);
    batches.iter_mut().for_each(|batch| batch.weights.iter_mut().for_each(|row| row.fill(0.0)));
    let (loss, all, _) = one_at_a_time(&checkpoint, &blocks, &batches, &Device::cpu(), Keep::Graphs);
    assert_eq!(loss, 0.0);
    assert!(all.values().flatten().all(|&g| g == 0.0));
}

/// Several documents in a sequence learn as each by itself.
#[test]
fn a_token_sees_its_own_document_only() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    for device in [Device::cpu(), software_gpu()] {
        let blocks = layers(&checkpoint, &device, |_, block| block);
        let (a, b) = (tokens(8, 512, 1), tokens(6, 512, 2));
        let mut packed = Batch::whole(vec![[a.clone(), b.clone()].concat(), [b.clone(), a.clone()].concat()]);
        // Between the documents nothing is predicted.
        (packed.weights[0][7], packed.weights[1][5]) = (0.0, 0.0);
        packed.documents = vec![[vec![0; 8], vec![1; 5]].concat(), [vec![0; 6], vec![1; 7]].concat()];
        let apart = [Batch::whole(vec![a.clone(), a]), Batch::whole(vec![b.clone(), b])];
        let of = |batches: &[Batch]| one_at_a_time(&checkpoint, &blocks, batches, &device, Keep::Graphs);
        let ((loss, got, _), (want_loss, want, _)) = (of(&[packed]), of(&apart));
        assert!((loss / want_loss - 1.0).abs() < 1e-5, "{loss} {want_loss}");
        for (name, gradient) in &got {
            // The last token of the first document is not read where documents are apart.
            assert_near(gradient, &want[name], 2e-5, name);
        }
    }
}

/// What is learnt of the text does not depend on how much of the vocabulary is multiplied at once.
#[test]
fn a_vocabulary_in_chunks_is_the_whole() {
    for checkpoint in
        [Model::llama(json!({ "tie_word_embeddings": false })).open(), Checkpoint::open(&shipped()).unwrap()]
    {
        let config = checkpoint.config();
        let batches = batches(config.vocab_size, [9, 5]);
        for device in [Device::cpu(), software_gpu()] {
            let on = device.tensor_device();
            let outer = checkpoint.outer().unwrap();
            let blocks = layers(&checkpoint, &device, |_, block| block);
            let last = blocks.len() - 1;
            let scored = |head: Head| {
                let mut pass = Pass::new(config, &batches, on, Keep::Graphs, Placement::Host, &None).unwrap();
                block_on(pass.embed(&outer.embedding)).unwrap();
                blocks.iter().enumerate().for_each(|(i, block)| block_on(pass.forward(i, block)).unwrap());
                let outcome = block_on(pass.score(&head, Loss::LABELS, None, EVERYTHING)).unwrap();
                let back = block_on(pass.backward(last, &blocks[last])).unwrap();
                let down = doubles(back.gradients.parts.weight(Projection::Down).clone());
                let [norm, matrix] = [doubles(outcome.head.norm.unwrap()), doubles(outcome.head.matrix.unwrap())];
                (outcome.loss, [norm, matrix, down])
            };
            let (whole, all) = scored(Head::load(&outer, config, on));
            // A number of rows that does not divide the vocabulary.
            let chunk = 7 * config.hidden_size * size_of::<f32>();
            let (loss, chunked) = scored(Head::load(&outer, config, on).in_chunks_of(chunk));
            assert!((loss / whole - 1.0).abs() < 1e-6, "{loss} and {whole}");
            for (got, want) in chunked.iter().zip(&all) {
                assert_near(got, want, 1e-5, "in chunks");
            }
        }
    }
}

#[test]
fn products_of_taps_are_those_of_their_rows() {
    let checkpoint = Model::llama(json!({})).open();
    let (config, device) = (checkpoint.config(), Device::cpu());
    let (on, batches) = (device.tensor_device(), batches(32, [8, 7]));
    let blocks = layers(&checkpoint, &device, |_, block| block);
    let outer = checkpoint.outer().unwrap();
    let pass = Pass::new(config, &batches, on, Keep::Graphs, Placement::Host, &None).unwrap();
    let mut pass = pass.with_taps().with_products();
    block_on(pass.embed(&outer.embedding)).unwrap();
    blocks.iter().enumerate().for_each(|(i, block)| block_on(pass.forward(i, block)).unwrap());
    block_on(pass.score(&Head::load(&outer, config, on), Loss::LABELS, None, EVERYTHING)).unwrap();
    let d = config.hidden_size;
    for (layer, block) in blocks.iter().enumerate().rev() {
        let back = block_on(pass.backward(layer, block)).unwrap();
        let mut want = [vec![0.0; d * d], vec![0.0; d * d]];
        for taps in back.taps {
            for (sum, tap) in want.iter_mut().zip([taps.attention, taps.feed_forward]) {
                for row in doubles(tap).chunks(d) {
                    (0..d * d).for_each(|at| sum[at] += row[at / d] * row[at % d]);
                }
            }
        }
        for (got, want) in back.products.unwrap().into_iter().zip(&want) {
            assert_near(&doubles(got), want, 1e-5, "the products");
        }
    }
}

/// A gate at 1 changes nothing; its gradient is what the loss changes when it moves.
#[test]
fn gates_are_pulled_back_as_the_loss_follows_them() {
    for device in [Device::cpu(), software_gpu()] {
        let checkpoint = Model::llama(json!({})).open();
        let (config, on) = (checkpoint.config(), device.tensor_device());
        let batches = batches(32, [8, 7]);
        let outer = checkpoint.outer().unwrap();
        let shape = config.layers[1];
        let with = |heads: &[f32], channels: &[f32]| {
            let gates = |values: &[f32]| Tensor::<1>::from_floats(values, on);
            let blocks = layers(&checkpoint, &device, |i, mut block| {
                block.gates = (i == 1).then(|| Gates::new(gates(heads), gates(channels)));
                block
            });
            let mut pass =
                Pass::new(config, &batches, on, Keep::Inputs(Placement::Host), Placement::Host, &None).unwrap();
            block_on(pass.embed(&outer.embedding)).unwrap();
            blocks.iter().enumerate().for_each(|(i, block)| block_on(pass.forward(i, block)).unwrap());
            let head = Head::load(&outer, config, on);
            let loss = block_on(pass.score(&head, Loss::LABELS, None, HeadWanted::default())).unwrap().loss;
            let back = block_on(pass.backward(1, &blocks[1])).unwrap();
            (loss, back.gradients.gates.map(|gate| doubles(gate.unwrap())))
        };
        let (open, half) = (vec![1.0; shape.heads], vec![0.5; shape.channels]);
        let (_, [at_heads, at_channels]) = with(&open, &half);
        // A gate halfway too: its gradient is not that of an open one.
        // Large enough that rounding of the loss does not show.
        let step = 5e-2;
        let moved = |values: &[f32], at: usize, by: f32| {
            let mut values = values.to_vec();
            values[at] += by;
            values
        };
        for at in [0, 3] {
            let slope = (with(&moved(&open, at, step), &half).0 - with(&moved(&open, at, -step), &half).0) / 0.1;
            assert!((at_heads[at] - slope).abs() < 2e-3 * slope.abs().max(0.1), "head {at}: {} {slope}", at_heads[at]);
            let slope = (with(&open, &moved(&half, at, step)).0 - with(&open, &moved(&half, at, -step)).0) / 0.1;
            assert!(
                (at_channels[at] - slope).abs() < 2e-3 * slope.abs().max(0.1),
                "channel {at}: {} {slope}",
                at_channels[at]
            );
        }
        // Open gates are the model as it is.
        let plain = layers(&checkpoint, &device, |_, block| block);
        let (loss, _, _) = one_at_a_time(&checkpoint, &plain, &batches, &device, Keep::Graphs);
        let (gated, _) = with(&open, &vec![1.0; shape.channels]);
        assert!((loss / gated - 1.0).abs() < 1e-6, "{loss} {gated}");
    }
}
