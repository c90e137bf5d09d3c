//! The state of a run, folded from its events: what the Run screen draws. No time passes in it
//! but that of the events.

use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{Event, LayerRecord, Meter, Pass, Plan, Report};
use slimgpt::shape::Site;

use crate::widgets::map::{Head, LayerRow, State};

/// A run so far.
pub struct Progress {
    /// What the run is to do.
    pub plan: Plan,
    /// How far, how fast, how long.
    pub meter: Meter,
    /// The layers in their order, as the map shows them.
    pub rows: Vec<LayerRow>,
    /// Predicted and measured squared error of each site that was measured.
    pub losses: Vec<Loss>,
    /// The layer at work.
    pub layer: usize,
    /// The pass of that layer; `None` before the first batch.
    pub pass: Option<Pass>,
    /// Layers that were there when the run began.
    pub earlier: usize,
    /// Whether the folder is being put together.
    pub writing: bool,
    /// The second of the last event.
    pub second: f64,
}

/// Two losses of a site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// The layer, counted from 0.
    pub layer: usize,
    /// Which of the layer's two linear layers.
    pub site: Site,
    /// As the mathematics predicts it.
    pub predicted: f64,
    /// As the tokens see it.
    pub measured: f64,
}

impl Progress {
    /// A run that was planned.
    pub fn new(plan: Plan) -> Self {
        let rows = plan.layers.iter().map(|l| LayerRow {
            heads: vec![Head::default(); l.before.heads],
            per_group: l.before.heads_per_group(),
            channels: l.before.channels,
            channels_after: l.after.channels,
            ..LayerRow::default()
        });
        let (rows, meter) = (rows.collect(), Meter::new(&plan));
        let losses = Vec::new();
        Self { plan, meter, rows, losses, layer: 0, pass: None, earlier: 0, writing: false, second: 0.0 }
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: &Event, second: f64) {
        self.meter.note(event, second);
        self.second = second;
        match event {
            Event::Resumed { finished, .. } => self.resumed(*finished),
            Event::LayerStarted { layer, replayed, .. } => self.started(*layer, *replayed),
            Event::Batch { pass, .. } => self.pass = Some(*pass),
            Event::Pruned { layer, site, kept, scores, .. } => self.pruned(*layer, *site, kept, scores),
            Event::Measured { layer, site, predicted_loss, measured_loss } => {
                let (predicted, measured) = (*predicted_loss, *measured_loss);
                self.losses.push(Loss { layer: *layer, site: *site, predicted, measured });
            }
            Event::LayerDone { record } => self.rows[record.layer] = row(record),
            Event::Writing => self.writing = true,
            _ => {}
        }
    }

    fn resumed(&mut self, finished: usize) {
        self.earlier = finished;
        // The event only counts layers: which heads went is known when the report is there.
        for (row, plan) in self.rows.iter_mut().zip(&self.plan.layers).take(finished) {
            row.state = State::Earlier;
            row.channels_cut = true;
            row.channels_after = plan.after.channels;
        }
    }

    fn started(&mut self, layer: usize, replayed: bool) {
        self.layer = layer;
        // A layer that is replayed is finished, and stays so in the map.
        if !replayed {
            self.rows[layer].state = State::Working;
        }
    }

    fn pruned(&mut self, layer: usize, site: Site, kept: &[usize], scores: &[f64]) {
        let row = &mut self.rows[layer];
        match site {
            Site::Heads => {
                let per_unit = heads_per_unit(row.heads.len(), row.per_group, self.plan.layers[layer].unit);
                mark_heads(row, per_unit, kept, scores);
            }
            Site::Channels => {
                row.channels_after = kept.len();
                row.channels_cut = true;
            }
        }
    }

    /// What is being done, in words.
    pub fn doing(&self) -> String {
        let site = match self.pass {
            _ if self.writing => return "Putting the folder together".into(),
            None => return "Beginning".into(),
            Some(Pass::Replay) => "replaying what is finished",
            Some(Pass::Attention) => "heads: reading the inputs of o_proj",
            Some(Pass::Feedforward) => "channels: reading the inputs of down_proj",
            Some(Pass::Output) => "measuring, and handing on to the next layer",
        };
        format!("Layer {} of {}, {site}", self.layer + 1, self.rows.len())
    }
}

fn heads_per_unit(heads: usize, per_group: usize, unit: HeadUnit) -> usize {
    match unit {
        HeadUnit::KeyValue => per_group.max(1).min(heads.max(1)),
        HeadUnit::Query => 1,
    }
}

fn mark_heads(row: &mut LayerRow, per_unit: usize, kept: &[usize], scores: &[f64]) {
    for (index, head) in row.heads.iter_mut().enumerate() {
        let unit = index / per_unit;
        head.gone = !kept.contains(&unit);
        head.score = scores.get(unit).copied();
    }
}

/// A finished layer as a row.
pub fn row(record: &LayerRecord) -> LayerRow {
    let mut row = LayerRow {
        state: State::Done,
        heads: vec![Head::default(); record.before.heads],
        per_group: record.before.heads_per_group(),
        channels: record.before.channels,
        channels_after: record.after.channels,
        channels_cut: true,
        error: Some(record.heads.measured_loss + record.channels.measured_loss),
    };
    let per_unit = heads_per_unit(row.heads.len(), row.per_group, record.unit);
    // Scores are by unit; which heads went is taken from the report, head by head.
    mark_heads(&mut row, per_unit, &[], &record.heads.scores);
    for (index, head) in row.heads.iter_mut().enumerate() {
        head.gone = record.kept_heads.binary_search(&index).is_err();
    }
    row
}

/// The rows of a finished run.
pub fn rows(report: &Report) -> Vec<LayerRow> {
    report.layers.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kv_group_takes_its_query_heads_along() {
        let mut row = LayerRow { heads: vec![Head::default(); 4], per_group: 2, ..LayerRow::default() };
        mark_heads(&mut row, 2, &[1], &[3.0, 5.0]);
        assert_eq!(row.heads.iter().map(|h| h.gone).collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!(row.heads[3].score, Some(5.0));
    }
}
