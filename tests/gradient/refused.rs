//! What cannot be learnt from.

use slimgpt::gradient::GradientError;

use super::*;

#[track_caller]
fn refused(batch: Batch) -> String {
    let checkpoint = Model::llama(json!({})).open();
    let on = Device::cpu();
    match Pass::new(checkpoint.config(), &[batch], on.tensor_device(), Keep::Graphs, Placement::Host, &None).err() {
        Some(GradientError::Batch(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    assert!(refused(Batch::default()).contains("at least two tokens"));
    assert!(refused(Batch::whole(vec![vec![1]])).contains("at least two tokens"));
    assert!(refused(Batch::whole(vec![vec![1, 2, 3], vec![1, 2]])).contains("of one length"));
    let weights = vec![vec![1.0]];
    assert!(refused(Batch { weights, tokens: vec![vec![1, 2, 3]], ..Batch::default() }).contains("of one length"));
    assert!(refused(Batch::whole(vec![vec![1, 32]])).contains("token 32 is beyond the vocabulary of 32"));
    let documents = vec![vec![0]];
    assert!(refused(Batch { documents, ..Batch::whole(vec![vec![1, 2, 3]]) }).contains("of a document"));
}

#[test]
fn layers_come_in_their_order() {
    let checkpoint = Model::llama(json!({})).open();
    let on = Device::cpu();
    let batches = batches(32, [6, 5]);
    let blocks = layers(&checkpoint, &on, |_, block| block);
    let mut pass =
        Pass::new(checkpoint.config(), &batches, on.tensor_device(), Keep::Graphs, Placement::Host, &None).unwrap();
    block_on(pass.embed(&checkpoint.outer().unwrap().embedding)).unwrap();
    let error = block_on(pass.forward(1, &blocks[1])).unwrap_err();
    assert!(matches!(error, GradientError::Order { layer: 1, next: 0 }), "{error}");
    block_on(pass.forward(0, &blocks[0])).unwrap();
    let error = block_on(pass.backward(1, &blocks[1])).unwrap_err();
    assert!(matches!(error, GradientError::Order { .. }), "{error}");
}

#[test]
fn capped_scores_and_logits_are_refused_by_name() {
    let checkpoint = Model::llama(json!({ "model_type": "gemma2", "head_dim": 4 })).open();
    let (batches, on) = ([Batch::whole(vec![vec![1, 2, 3]])], Device::cpu());
    let refused = Pass::new(checkpoint.config(), &batches, on.tensor_device(), Keep::Graphs, Placement::Host, &None);
    assert!(matches!(refused.err(), Some(GradientError::Capped(slimgpt::shape::Family::Gemma2))));
}
