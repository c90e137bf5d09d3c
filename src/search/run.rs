//! The pass of the dense model that finds out what cutting costs.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::Tensor;
use serde::Serialize;

use super::memory::VARIANT_BYTES;
use super::mixed::MixedHeads;
use super::probe::{Probe, States, block, embedded, made, whole};
use super::stages::{cuts, errors, stages, step};
use super::whole::sites_of;
use super::{Curve, Cut, Map, SearchError, WholeSite};
use crate::activations::{Cache, Placement};
use crate::checkpoint::{Checkpoint, Classes};
use crate::device::Device;
use crate::device::readback::settled;
use crate::model::{Block, Head, Positions, flat};
use crate::obs::{
    ChannelSteps, Executor, HeadLayout, HeadUnit, Hessian, Nested, ObsError, Options, Stage, mixed_cuts,
    nested_channels, nested_heads,
};
use crate::pipeline::{Flow, batches, embed};
use crate::shape::{LayerShape, Site};

/// What is searched, and with what.
pub struct Search<'a> {
    /// The dense model.
    pub checkpoint: &'a Checkpoint,
    /// What the curves are made of.
    pub calibration: &'a [Vec<u32>],
    /// What divergences are measured on.
    pub probe: &'a [Vec<u32>],
    /// Scores and damping, as the pruning will have them.
    pub options: Options,
    /// Steps in which channels go.
    pub channel_steps: ChannelSteps,
    /// Channels stay in multiples of this; without it of gcd(channels, 32).
    pub channel_multiple: Option<usize>,
    /// Whether it is also measured what a layer costs that loses a half as a whole.
    pub whole_sites: bool,
    /// Calibration windows that go through a layer together.
    pub batch_windows: usize,
    /// Where the calibration's hidden states lie.
    pub place: Placement,
    /// Where it is computed.
    pub device: &'a Device,
}

/// What a search tells.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// So much work of so much is done, counted in tokens that went through a layer.
    Progress {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
    },
    /// What a kind of unit costs in a layer.
    Probed(Curve),
    /// A layer is done, and the map has it.
    LayerDone {
        /// Index of the layer, from 0.
        layer: usize,
        /// How many there are.
        layers: usize,
    },
    /// A climb is on its way.
    Climbing {
        /// Candidates that were pruned and judged.
        steps: usize,
        /// The part of the steps or of the time that is over, from 0 to 1.
        share: f64,
    },
    /// A candidate of a climb was pruned and judged.
    Candidate {
        /// How many there were with this one.
        steps: usize,
        /// Whether it is what the climb goes on from.
        accepted: bool,
        /// Its divergence in nats a token, on as many tokens as it was judged by.
        divergence: f64,
        /// On so many.
        tokens: usize,
        /// Of the sizes that the climb goes on from, on all tokens.
        best: f64,
    },
}

/// Completes the map of what cutting costs; `map` has what an earlier search has found of the same. `keep` is given the
/// map after every layer.
///
/// # Errors
/// [`SearchError::Stopped`] when `on_event` says so; otherwise when something cannot be read or computed.
pub async fn search<E: Executor>(
    asked: &Search<'_>,
    executor: &E,
    mut map: Map,
    keep: &mut dyn FnMut(&Map) -> Result<(), SearchError>,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Map, SearchError> {
    let config = asked.checkpoint.config();
    map.layers.clone_from(&config.layers);
    if map.probed() == config.layers.len() {
        return Ok(map);
    }
    if config.design.binds_heads {
        return Err(SearchError::BoundHeads(config.family));
    }
    if asked.whole_sites && Classes::of(config.family).is_some() {
        return Err(SearchError::NoWholeSites(config.family));
    }
    let probe = probe_windows(asked)?;
    let outer = asked.checkpoint.outer()?;
    let on = asked.device.tensor_device();
    let head = Head::load(&outer, config, on);
    let states = embedded(&probe, &outer.embedding, &config.design, on)?;
    let mut run = Run {
        asked,
        executor,
        hidden: Cache::new("hidden", 0, asked.place, &None, on),
        batches: batches(asked.calibration, asked.batch_windows),
        positions: BTreeMap::new(),
        probe: Probe::new(asked.checkpoint, &head, states, on).await?,
        done: 0,
        total: total(asked, probe.len() * probe[0].len(), map.probed()),
        probe_tokens: probe.len() * probe[0].len(),
        probed: map.probed(),
        on_event,
    };
    run.hidden = Cache::new("hidden", run.batches.len(), asked.place, &None, on);
    for i in 0..run.batches.len() {
        let rows = embed(asked.calibration, &run.batches[i], &outer.embedding, &config.design)?;
        run.hidden.put(i, Tensor::from_data(rows, on)).await?;
    }
    for layer in 0..config.layers.len() {
        let block = block(asked.checkpoint, layer, on)?;
        if layer < map.probed() {
            run.pass(layer, &block, None).await?;
        } else {
            let (curves, mixed, whole) = run.layer(layer, &block).await?;
            map.curves.extend(curves);
            map.mixed.extend(mixed);
            map.whole.extend(whole);
            keep(&map)?;
            run.probed = layer + 1;
            run.tell(Event::LayerDone { layer, layers: config.layers.len() })?;
        }
        run.probe.advance(&block);
    }
    Ok(map)
}

/// The probe's windows, cut to one length.
fn probe_windows(asked: &Search<'_>) -> Result<Vec<Vec<u32>>, SearchError> {
    if asked.calibration.iter().all(|window| window.len() < 2) {
        return Err(SearchError::NoWindows("calibration"));
    }
    let whole = whole(asked.probe);
    if whole.first().is_none_or(|window| window.len() < 2) {
        return Err(SearchError::NoWindows("probe"));
    }
    // On the text that it was fitted to, a cut looks cheaper than it is.
    if whole.iter().all(|window| asked.calibration.contains(window)) {
        return Err(SearchError::SameText);
    }
    Ok(whole)
}

/// Tokens that go through layers in all.
fn total(asked: &Search<'_>, probe_tokens: usize, probed: usize) -> usize {
    let layers = &asked.checkpoint.config().layers;
    let calibration: usize = asked.calibration.iter().map(Vec::len).sum();
    let of_layer = |(layer, &shape): (usize, &LayerShape)| {
        let variants: usize = cuts(shape).iter().map(|&cut| stages(shape, cut, asked.channel_multiple).len()).sum();
        let variants = variants + sites_of(shape, asked.whole_sites).len();
        if layer < probed { 0 } else { variants * (layers.len() - layer) * probe_tokens }
    };
    layers.len() * calibration + layers.iter().enumerate().map(of_layer).sum::<usize>()
}

/// A search between two layers.
struct Run<'a, 'e, E> {
    asked: &'a Search<'a>,
    executor: &'a E,
    batches: Vec<Range<usize>>,
    /// By the length of windows.
    positions: BTreeMap<usize, Positions>,
    hidden: Cache,
    probe: Probe<'a>,
    probe_tokens: usize,
    done: usize,
    total: usize,
    probed: usize,
    on_event: &'e mut dyn FnMut(Event) -> Flow,
}

impl<E: Executor> Run<'_, '_, E> {
    /// What cutting a layer costs; the calibration's states are behind it afterwards.
    async fn layer(
        &mut self,
        layer: usize,
        block: &Block,
    ) -> Result<(Vec<Curve>, Vec<MixedHeads>, Vec<WholeSite>), SearchError> {
        let shape = self.asked.checkpoint.config().layers[layer];
        let width = shape.heads * self.asked.checkpoint.config().head_dim;
        // A half that the layer lacks sums nothing, but no device makes a sum of no inputs.
        let mut sums = [width, shape.channels].map(|inputs| Hessian::new(self.executor, inputs.max(1)));
        self.pass(layer, block, Some(&mut sums)).await?;
        let [heads, channels] = &sums;
        let (cuts, whole) = (cuts(shape), sites_of(shape, self.asked.whole_sites));
        let mixed = self.mixed(layer, block, heads).await?;
        let (mut curves, mut variants, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for cut in cuts {
            let counts = stages(shape, cut, self.asked.channel_multiple);
            let hessian = if cut.site() == Site::Heads { heads } else { channels };
            let nested = self.nested(block, shape, cut, hessian, &counts).await;
            let nested = nested.map_err(|cause| SearchError::Site { layer, site: cut.site(), cause })?;
            variants.extend(nested.stages.iter().map(|stage| self.variant(block, cut, stage)));
            let step = step(shape, cut, self.asked.channel_multiple);
            let probed = counts.into_iter().map(|count| (count, 0.0)).collect();
            curves.push(Curve { layer, cut, step, errors: errors(&nested, cut, shape, step), probed });
            // Together, so that every later layer is brought once; but not more than there is room for.
            if bytes(&variants) > VARIANT_BYTES {
                found.extend(self.divergences(layer, std::mem::take(&mut variants)).await?);
            }
        }
        variants.extend(whole.iter().map(|&site| self.probe.without(block, site)));
        if !variants.is_empty() {
            found.extend(self.divergences(layer, variants).await?);
        }
        let mut found = found.into_iter();
        for curve in &mut curves {
            for ((_, probed), kl) in curve.probed.iter_mut().zip(found.by_ref()) {
                *probed = checked(layer, curve.cut.site(), kl)?;
            }
            self.tell(Event::Probed(curve.clone()))?;
        }
        let of = |(site, kl)| Ok(WholeSite { layer, site, divergence: checked(layer, site, kl)? });
        let whole = whole.into_iter().zip(found).map(of).collect::<Result<_, SearchError>>()?;
        Ok((curves, mixed, whole))
    }

    /// The errors of all cuts that take heads of both kinds from a layer that has both.
    async fn mixed(&self, layer: usize, block: &Block, hessian: &Hessian<E>) -> Result<Vec<MixedHeads>, SearchError> {
        let shape = self.asked.checkpoint.config().layers[layer];
        let weight = match block.linear(Cut::KvHeads.site().projection()) {
            Some(linear) if shape.kv_heads > 1 && shape.heads_per_group() > 1 => linear.weight.val().whole(),
            _ => return Ok(Vec::new()),
        };
        let found = mixed_cuts(self.executor, &weight, hessian, self.layout(shape), &self.asked.options).await;
        let found = found.map_err(|cause| SearchError::Site { layer, site: Site::Heads, cause })?;
        Ok(found.into_iter().map(|(cut, error)| MixedHeads { layer, cut, error }).collect())
    }

    fn layout(&self, shape: LayerShape) -> HeadLayout {
        let head_dim = self.asked.checkpoint.config().head_dim;
        HeadLayout { heads: shape.heads, kv_heads: shape.kv_heads, head_dim }
    }

    /// The calibration's states go through the layer as it is, their inputs of o_proj and down_proj into the sums.
    async fn pass(
        &mut self,
        layer: usize,
        block: &Block,
        mut sums: Option<&mut [Hessian<E>; 2]>,
    ) -> Result<(), SearchError> {
        let config = self.asked.checkpoint.config();
        for batch in 0..self.batches.len() {
            let hidden = self.hidden.take(batch)?.ok_or(crate::activations::CacheError::Missing)?;
            let [windows, length, _] = hidden.dims();
            let on = self.asked.device.tensor_device();
            let new = || Positions::new(config, 0, length, on);
            let positions = self.positions.entry(length).or_insert_with(new).clone();
            let context = block.context(hidden.clone(), &positions);
            let between = block.add_attention(hidden, context.clone());
            let inner = block.inner(between.clone());
            for ((hessian, input), site) in sums
                .iter_mut()
                .flat_map(|sums| sums.iter_mut())
                .zip([context, inner.clone()])
                .zip([Site::Heads, Site::Channels])
            {
                // A half that the layer lacks has no inputs.
                let Some(input) = input else { continue };
                let added = hessian.accumulate(self.executor, &flat(input)).await;
                added.map_err(|cause| SearchError::Site { layer, site, cause })?;
            }
            let hidden = block.add_mlp(between, inner);
            // Progress is told when it is done.
            settled(&hidden).await?;
            self.hidden.put(batch, hidden).await?;
            self.progress(windows * length)?;
        }
        Ok(())
    }

    async fn nested(
        &self,
        block: &Block,
        shape: LayerShape,
        cut: Cut,
        hessian: &Hessian<E>,
        counts: &[usize],
    ) -> Result<Nested, ObsError> {
        let Search { options, channel_steps, .. } = *self.asked;
        let layout = self.layout(shape);
        // A site of which something can go is there.
        let weight = block.linear(cut.site().projection()).ok_or(ObsError::NoTokens)?.weight.val().whole();
        match cut {
            Cut::Channels => nested_channels(self.executor, &weight, hessian, channel_steps, counts, &options).await,
            Cut::KvHeads => {
                nested_heads(self.executor, &weight, hessian, layout, HeadUnit::KeyValue, counts, &options).await
            }
            Cut::QueryHeads => {
                nested_heads(self.executor, &weight, hessian, layout, HeadUnit::Query, counts, &options).await
            }
        }
    }

    /// The probe's states behind the layer with a site at a stage.
    fn variant(&self, block: &Block, cut: Cut, stage: &Stage) -> States {
        let made = |input: Tensor<3>| made(block, cut, stage, input);
        match cut.site() {
            Site::Heads => self.probe.with_attention(block, made),
            Site::Channels => self.probe.with_feed_forward(block, made),
        }
    }

    /// The divergences of models with these states behind a layer.
    async fn divergences(&mut self, layer: usize, variants: Vec<States>) -> Result<Vec<f64>, SearchError> {
        let (each, on_event) = (self.probe_tokens * variants.len(), &mut self.on_event);
        let (mut done, total, probed) = (self.done, self.total, self.probed);
        let layers = self.asked.checkpoint.config().layers.len();
        let told = || {
            done += each;
            match on_event(Event::Progress { done, total }) {
                Flow::Continue => Ok(()),
                Flow::Stop => Err(SearchError::Stopped { probed, layers }),
            }
        };
        let found = self.probe.divergences(layer, variants, told).await?;
        // The site's own layer counts too.
        self.done = done + each;
        Ok(found)
    }

    fn progress(&mut self, tokens: usize) -> Result<(), SearchError> {
        self.done += tokens;
        self.tell(Event::Progress { done: self.done, total: self.total })
    }

    fn tell(&mut self, event: Event) -> Result<(), SearchError> {
        match (self.on_event)(event) {
            Flow::Continue => Ok(()),
            Flow::Stop => {
                Err(SearchError::Stopped { probed: self.probed, layers: self.asked.checkpoint.config().layers.len() })
            }
        }
    }
}

/// A divergence, if it is one.
fn checked(layer: usize, site: Site, value: f64) -> Result<f64, SearchError> {
    match value.is_finite() {
        // Rounding may bring the divergence of a cut that changes nothing below zero.
        true => Ok(value.max(0.0)),
        false => Err(SearchError::NotFinite { layer, site, value }),
    }
}

fn bytes(variants: &[States]) -> usize {
    variants.iter().flatten().map(|piece| piece.dims().into_iter().product::<usize>() * size_of::<f32>()).sum()
}
