//! How long a frame takes while a run is going, for measurements: with `SLIMGPT_FRAMES=1` the
//! window is drawn without a pause and the figures are printed when the run ends.

use eframe::egui;
use web_time::Instant;

/// Times of the frames since the run began, in seconds.
#[derive(Default)]
pub struct Frames {
    wanted: bool,
    work: Vec<f32>,
    between: Vec<f32>,
    last: Option<Instant>,
}

impl Frames {
    /// Measures if the environment says so.
    pub fn from_environment() -> Self {
        Self { wanted: std::env::var_os("SLIMGPT_FRAMES").is_some(), ..Self::default() }
    }

    /// A frame whose predecessor took so many seconds of work.
    pub fn note(&mut self, ctx: &egui::Context, work: f32, going: bool) {
        if !self.wanted {
            return;
        }
        match (going, self.last) {
            (true, last) => {
                let now = Instant::now();
                if let Some(last) = last {
                    self.work.push(work);
                    self.between.push((now - last).as_secs_f32());
                }
                self.last = Some(now);
                // Otherwise only frames that show something new would be drawn and measured.
                ctx.request_repaint();
            }
            (false, Some(_)) => self.tell(),
            (false, None) => {}
        }
    }

    fn tell(&mut self) {
        // Percentiles and not a mean: what is felt is the frame that comes late.
        let figures = |times: &mut Vec<f32>| {
            times.sort_by(f32::total_cmp);
            let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).map_or(0.0, |t| 1000.0 * t);
            if times.is_empty() {
                "none".to_owned()
            } else {
                format!("median {:.2} ms, 95 % {:.2} ms, worst {:.2} ms", at(0.5), at(0.95), at(1.0))
            }
        };
        let (count, work, between) = (self.work.len(), figures(&mut self.work), figures(&mut self.between));
        eprintln!("{count} frames while pruning; work of a frame: {work}; from frame to frame: {between}");
        (self.last, self.work, self.between) = (None, Vec::new(), Vec::new());
    }
}
