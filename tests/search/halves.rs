//! What it costs that a layer loses a half as a whole, and sizes of which some are gone.

use slimgpt::search::WholeSite;
use slimgpt::shape::{LayerShape, Site};

use super::*;

#[test]
fn a_whole_site_costs_what_the_model_without_it_diverges() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let (calibration, probe, device) = (windows(4, 32, 1), windows(2, 24, 100), Device::cpu());
    let asked = Search { whole_sites: true, ..asked(&checkpoint, &calibration, &probe, &device) };
    let map = found(&asked, Map::default(), &mut go_on).0.unwrap();
    let (config, on) = (checkpoint.config(), device.tensor_device());
    assert_eq!(map.whole.len(), 2 * config.layers.len());
    let places = map.whole.iter().map(|&WholeSite { layer, site, .. }| (layer, site));
    assert!(places.eq((0..config.layers.len()).flat_map(|layer| Site::ALL.map(|site| (layer, site)))));
    let dense = Decoder::load(&checkpoint, on).unwrap();
    let logits = |model: &Decoder| doubles(model.forward(token_tensor(&probe, on), config));
    for (layer, site) in [(0, Site::Heads), (2, Site::Heads), (3, Site::Channels), (5, Site::Channels)] {
        let mut cut = dense.clone();
        match site {
            Site::Heads => cut.blocks[layer].attention = None,
            Site::Channels => cut.blocks[layer].feed_forward = None,
        }
        let want = divergence(&logits(&dense), &logits(&cut), config.vocab_size) / (2 * 24) as f64;
        let got = map.of_whole(layer, site).unwrap();
        assert!((got / want - 1.0).abs() < 1e-3, "layer {layer}, {site}: {got} for {want}");
    }
    // Beside them the curves are what they are without.
    let without = found(&Search { whole_sites: false, ..asked }, Map::default(), &mut go_on).0.unwrap();
    assert!(without.whole.is_empty() && without.curves.len() == map.curves.len());
    for (with, without) in map.curves.iter().zip(&without.curves) {
        assert_eq!((with.layer, with.cut, &with.errors), (without.layer, without.cut, &without.errors));
    }
    let text = serde_json::to_string(&without).unwrap();
    assert!(!text.contains("whole"), "a plan without them reads as ever");
}

#[test]
fn an_interrupted_search_for_whole_sites_goes_on() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let (calibration, probe, device) = (windows(3, 24, 1), windows(2, 16, 100), Device::cpu());
    let asked = Search { whole_sites: true, ..asked(&checkpoint, &calibration, &probe, &device) };
    let whole = found(&asked, Map::default(), &mut go_on).0.unwrap();
    let mut stopping = |event: Event| match event {
        Event::LayerDone { layer: 1, .. } => Flow::Stop,
        _ => Flow::Continue,
    };
    let (_, kept) = found(&asked, Map::default(), &mut stopping);
    assert_eq!((kept.probed(), kept.whole.len()), (2, 4));
    assert_eq!(found(&asked, kept, &mut go_on).0.unwrap(), whole, "the same bits");
}

#[test]
fn more_can_go_where_whole_sites_may() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let config = checkpoint.config();
    let (calibration, probe, device) = (windows(4, 32, 1), windows(2, 24, 100), Device::cpu());
    let asked = Search { whole_sites: true, ..asked(&checkpoint, &calibration, &probe, &device) };
    let map = found(&asked, Map::default(), &mut go_on).0.unwrap();
    let bounds = Bounds { whole_sites: true, ..Bounds::default() };
    let of = |bounds: &Bounds, ratio: f64| sizes(&map, config, bounds, Target::Ratio(ratio));
    // More than all curves together reach: something goes as a whole.
    assert_says(of(&Bounds::default(), 0.9), &["the largest cuts that were probed"]);
    let found = of(&bounds, 0.9).unwrap();
    assert!(found.layers.iter().any(|shape| !shape.is_whole()) && found.ratio >= 0.9 - 1e-9, "{found:?}");
    let left: usize = found.layers.iter().map(|&shape| config.layer_parameters(shape)).sum();
    assert_eq!(found.parameters, config.outer_parameters() + left);
    // Where little goes it costs no more than without.
    for ratio in [0.1, 0.3, 0.5] {
        let (with, without) = (of(&bounds, ratio).unwrap(), of(&Bounds::default(), ratio).unwrap());
        assert!(with.predicted_divergence <= without.predicted_divergence, "{ratio}: {with:?} {without:?}");
        assert!(without.layers.iter().all(LayerShape::is_whole));
    }
    let one = of(&Bounds { uniform: true, ..bounds.clone() }, 0.3).unwrap();
    assert!(one.layers.iter().all(|shape| *shape == one.layers[0] && shape.is_whole()));
    assert_says(of(&bounds, 0.9999), &["leaves no layer"]);
}

#[test]
fn a_family_with_classes_of_its_own_is_searched_without_whole_sites() {
    let checkpoint = Model::llama(json!({ "model_type": "phi3" })).open();
    let (calibration, probe, device) = (windows(3, 24, 1), windows(2, 16, 100), Device::cpu());
    let asked = Search { whole_sites: true, ..asked(&checkpoint, &calibration, &probe, &device) };
    assert_says(found(&asked, Map::default(), &mut go_on).0, &["Phi3", "both halves"]);
}
