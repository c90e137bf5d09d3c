//! The divergence from a teacher, against autodiff of its definition.

use burn::tensor::activation::softmax;

use super::*;

/// T² Σ w KL(q ‖ p) by autodiff over the whole student, for one batch.
fn at_once(student: &Checkpoint, teacher: &Checkpoint, batch: &Batch, temperature: f64, device: &Device) -> (f64, All) {
    let on = device.tensor_device();
    let inputs: Vec<Vec<u32>> = batch.tokens.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
    let logits = |checkpoint: &Checkpoint, model: &Decoder| {
        model.forward(token_tensor(&inputs, on), checkpoint.config()).div_scalar(temperature)
    };
    let model = Decoder::load(student, on).unwrap().train();
    let theirs = logits(teacher, &Decoder::load(teacher, on).unwrap());
    let (q, log_q) = (softmax(theirs.clone(), 1), log_softmax(theirs, 1));
    let log_p = log_softmax(logits(student, &model), 1);
    let weights = Tensor::<1>::from_floats(&batch.weights.concat()[..], on);
    let each = (q.autodiff() * (log_q.autodiff() - log_p)).sum_dim(1).squeeze_dim::<1>(1) * weights.autodiff();
    let loss = each.sum().mul_scalar(temperature * temperature);
    let value = doubles(loss.clone().inner())[0];
    let grads = loss.backward();
    let mut all = All::new();
    for (layer, block) in model.blocks.iter().enumerate() {
        let gradient = block.feed_forward.as_ref().unwrap().down.weight.val().whole().grad(&grads).unwrap();
        let gradient = doubles(gradient);
        all.insert(format!("{layer} mlp.down_proj.weight"), gradient);
    }
    all.insert("norm".into(), doubles(model.outer.norm.scale.val().grad(&grads).unwrap()));
    (value, all)
}

#[test]
fn the_divergence_from_a_teacher_is_pulled_back_as_defined() {
    // The student is the teacher with other numbers: nobody's gradient is zero.
    let teacher = Model::llama(json!({ "tie_word_embeddings": false })).open();
    let mut changed = Model::llama(json!({ "tie_word_embeddings": false }));
    changed.tensor("lm_head.weight").values.iter_mut().for_each(|v| *v *= -1.5);
    let student = changed.open();
    // The vocabulary of 32 at once, and in chunks of five rows.
    let five_rows = 5 * student.config().hidden_size * size_of::<f32>();
    let cases = [
        (Device::cpu(), 1.0, usize::MAX),
        (Device::cpu(), 2.5, five_rows),
        (software_gpu(), 2.0, usize::MAX),
        (software_gpu(), 0.7, five_rows),
    ];
    for (device, temperature, chunk) in cases {
        let batch = &batches(32, [9, 5])[..1];
        let on = device.tensor_device();
        let forward = |checkpoint: &Checkpoint, keep| {
            let outer = checkpoint.outer().unwrap();
            let mut pass = Pass::new(student.config(), batch, on, keep, Placement::Host, &None).unwrap();
            block_on(pass.embed(&outer.embedding)).unwrap();
            let blocks = layers(checkpoint, &device, |_, block| block);
            blocks.iter().enumerate().for_each(|(i, block)| block_on(pass.forward(i, block)).unwrap());
            (pass, Head::load(&outer, checkpoint.config(), on).in_chunks_of(chunk), blocks)
        };
        let (mut theirs, their_head, _) = forward(&teacher, Keep::Nothing);
        let (mut ours, our_head, blocks) = forward(&student, Keep::Graphs);
        let wanted = HeadWanted { norm: true, matrix: false };
        let loss = Loss::of_teacher(temperature);
        let outcome = block_on(ours.score(&our_head, loss, Some((&mut theirs, &their_head)), wanted)).unwrap();
        let (value, want) = at_once(&student, &teacher, &batch[0], temperature, &device);
        assert!((outcome.loss / value - 1.0).abs() < 1e-5, "{} {value}", outcome.loss);
        assert_near(&doubles(outcome.head.norm.unwrap()), &want["norm"], 1e-5, "the last norm");
        for (layer, block) in blocks.iter().enumerate().rev() {
            let back = block_on(ours.backward(layer, block)).unwrap();
            let got = doubles(back.gradients.parts.weight(Projection::Down).clone());
            assert_near(&got, &want[&format!("{layer} mlp.down_proj.weight")], 1e-5, "down_proj");
        }
    }
}

#[test]
fn a_model_diverges_by_nothing_from_itself() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let batch = &batches(512, [20, 5])[..1];
    let device = Device::cpu();
    let on = device.tensor_device();
    let outer = checkpoint.outer().unwrap();
    let head = Head::load(&outer, checkpoint.config(), on);
    let blocks = layers(&checkpoint, &device, |_, block| block);
    let forward = || {
        let mut pass = Pass::new(checkpoint.config(), batch, on, Keep::Nothing, Placement::Host, &None).unwrap();
        block_on(pass.embed(&outer.embedding)).unwrap();
        blocks.iter().enumerate().for_each(|(i, block)| block_on(pass.forward(i, block)).unwrap());
        pass
    };
    let (mut a, mut b) = (forward(), forward());
    let outcome =
        block_on(a.score(&head, Loss::of_teacher(2.0), Some((&mut b, &head)), HeadWanted::default())).unwrap();
    assert!(outcome.loss.abs() < 1e-4, "{}", outcome.loss);
}
