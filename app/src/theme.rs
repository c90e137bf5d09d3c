//! How everything looks: one style for light and one for dark, set once; the colours of scores.

use eframe::egui::{self, Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Visuals, vec2};

/// Distance between cards, and inside of them.
pub const GAP: f32 = 14.0;
const ROUND: CornerRadius = CornerRadius::same(6);

/// The colours that are the program's own.
#[derive(Clone, Copy)]
pub struct Palette {
    /// What is chosen, what goes on, what is to be pressed.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// What every card stands on.
    pub ground: Color32,
    /// A card on the ground.
    pub card: Color32,
    /// A card's edge, grid lines.
    pub line: Color32,
    /// What is less important.
    pub quiet: Color32,
    /// Words about what went wrong.
    pub error: Color32,
    /// Behind what went wrong.
    pub error_ground: Color32,
    /// Channels, where heads are the accent; what went, where what stays is the accent.
    pub second: Color32,
    text: Color32,
    strong: Color32,
    field: Color32,
    button: Color32,
    hovered: Color32,
}

const LIGHT: Palette = Palette {
    accent: Color32::from_rgb(14, 98, 164),
    on_accent: Color32::WHITE,
    ground: Color32::from_rgb(243, 244, 246),
    card: Color32::from_rgb(255, 255, 255),
    line: Color32::from_rgb(220, 224, 229),
    quiet: Color32::from_rgb(94, 103, 114),
    error: Color32::from_rgb(168, 36, 30),
    error_ground: Color32::from_rgb(253, 240, 238),
    second: Color32::from_rgb(178, 84, 0),
    text: Color32::from_rgb(42, 49, 57),
    strong: Color32::from_rgb(16, 21, 27),
    field: Color32::from_rgb(248, 249, 250),
    button: Color32::from_rgb(235, 238, 242),
    hovered: Color32::from_rgb(222, 228, 235),
};

const DARK: Palette = Palette {
    accent: Color32::from_rgb(98, 172, 232),
    on_accent: Color32::from_rgb(8, 22, 34),
    ground: Color32::from_rgb(20, 23, 28),
    card: Color32::from_rgb(29, 33, 40),
    line: Color32::from_rgb(52, 59, 69),
    quiet: Color32::from_rgb(151, 161, 173),
    error: Color32::from_rgb(255, 138, 128),
    error_ground: Color32::from_rgb(56, 31, 32),
    second: Color32::from_rgb(240, 160, 76),
    text: Color32::from_rgb(210, 216, 223),
    strong: Color32::from_rgb(241, 244, 247),
    field: Color32::from_rgb(22, 26, 31),
    button: Color32::from_rgb(44, 51, 60),
    hovered: Color32::from_rgb(56, 65, 76),
};

/// The colours of the theme that is shown.
pub fn palette(ui: &egui::Ui) -> Palette {
    if ui.visuals().dark_mode { DARK } else { LIGHT }
}

/// Sets the styles of light and dark.
pub fn apply(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for (theme, palette) in [(Theme::Light, LIGHT), (Theme::Dark, DARK)] {
        ctx.style_mut_of(theme, |style| {
            style.text_styles = text_styles();
            style.visuals = visuals(theme, &palette);
            spacing(&mut style.spacing);
            style.interaction.tooltip_delay = 0.25;
        });
    }
}

/// The fonts that come with egui; the letters' font has no arrows and no ⁻, the other one has.
fn fonts() -> egui::FontDefinitions {
    let mut fonts = egui::FontDefinitions::default();
    fonts.families.entry(FontFamily::Proportional).or_default().push("Hack".into());
    fonts
}

fn text_styles() -> std::collections::BTreeMap<TextStyle, FontId> {
    let font = |size, family| FontId::new(size, family);
    [
        (TextStyle::Small, font(12.0, FontFamily::Proportional)),
        (TextStyle::Body, font(14.5, FontFamily::Proportional)),
        (TextStyle::Button, font(14.5, FontFamily::Proportional)),
        (TextStyle::Heading, font(22.0, FontFamily::Proportional)),
        (TextStyle::Monospace, font(13.0, FontFamily::Monospace)),
    ]
    .into()
}

fn spacing(spacing: &mut egui::Spacing) {
    spacing.item_spacing = vec2(9.0, 8.0);
    spacing.button_padding = vec2(12.0, 5.0);
    spacing.interact_size = vec2(40.0, 28.0);
    spacing.slider_width = 220.0;
    spacing.combo_width = 150.0;
    spacing.tooltip_width = 420.0;
    spacing.window_margin = Margin::same(14);
}

fn visuals(theme: Theme, p: &Palette) -> Visuals {
    let mut v = theme.default_visuals();
    v.panel_fill = p.ground;
    v.window_fill = p.card;
    v.window_stroke = Stroke::new(1.0, p.line);
    v.extreme_bg_color = p.field;
    v.faint_bg_color = p.field;
    v.code_bg_color = p.field;
    v.error_fg_color = p.error;
    v.warn_fg_color = p.second;
    v.hyperlink_color = p.accent;
    v.weak_text_color = Some(p.quiet);
    // Through a third of the accent the text can be read.
    v.selection.bg_fill = p.accent.gamma_multiply(0.30);
    v.selection.stroke = Stroke::new(1.5, p.accent);
    v.slider_trailing_fill = true;
    v.striped = false;
    v.window_corner_radius = CornerRadius::same(10);
    v.menu_corner_radius = ROUND;
    widgets(&mut v.widgets, p);
    v
}

fn widgets(w: &mut egui::style::Widgets, p: &Palette) {
    let states = [
        (&mut w.noninteractive, p.card, p.line, p.text),
        (&mut w.inactive, p.button, p.button, p.text),
        (&mut w.hovered, p.hovered, p.accent, p.strong),
        (&mut w.active, p.hovered, p.accent, p.strong),
        (&mut w.open, p.hovered, p.line, p.strong),
    ];
    for (state, fill, edge, text) in states {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, edge);
        state.fg_stroke = Stroke::new(1.3, text);
        state.corner_radius = ROUND;
        state.expansion = 0.0;
    }
}

/// From the least to the greatest: viridis, which is read the same with any colour vision and in grey.
pub fn sequential(t: f32) -> Color32 {
    const ANCHORS: [[u8; 3]; 6] =
        [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
    between(&ANCHORS, t)
}

/// From −1 over 0, where it is the ground, to 1: blue and orange.
pub fn diverging(t: f32, dark: bool) -> Color32 {
    const ON_LIGHT: [[u8; 3]; 5] = [[10, 82, 150], [120, 172, 218], [246, 247, 248], [240, 172, 104], [182, 84, 0]];
    const ON_DARK: [[u8; 3]; 5] = [[104, 180, 244], [46, 96, 142], [34, 38, 45], [140, 84, 34], [246, 168, 84]];
    between(if dark { &ON_DARK } else { &ON_LIGHT }, (t + 1.0) / 2.0)
}

fn between(anchors: &[[u8; 3]], t: f32) -> Color32 {
    // What is no number is shown as the lowest.
    let t = if t.is_nan() { 0.0 } else { t };
    let place = t.clamp(0.0, 1.0) * (anchors.len() - 1) as f32;
    // The upper end belongs to the last interval.
    let i = (place as usize).min(anchors.len() - 2);
    let share = place - i as f32;
    let mix = |k: usize| (f32::from(anchors[i][k]) * (1.0 - share) + f32::from(anchors[i + 1][k]) * share) as u8;
    Color32::from_rgb(mix(0), mix(1), mix(2))
}

/// Black or white, whichever is read better on a colour.
pub fn ink_on(ground: Color32) -> Color32 {
    let [r, g, b, _] = ground.to_array().map(f32::from);
    // Rec. 601's weights: green looks brightest, blue darkest.
    if 0.299 * r + 0.587 * g + 0.114 * b > 140.0 { Color32::from_rgb(12, 16, 20) } else { Color32::WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brightness(c: Color32) -> f32 {
        let [r, g, b, _] = c.to_array().map(f32::from);
        0.299 * r + 0.587 * g + 0.114 * b
    }

    #[test]
    fn a_higher_score_is_brighter_so_that_it_is_read_in_grey_too() {
        let steps: Vec<f32> = (0..=20).map(|i| brightness(sequential(i as f32 / 20.0))).collect();
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "{steps:?}");
    }

    #[test]
    fn what_is_beyond_the_scale_is_its_end() {
        assert_eq!(sequential(7.0), sequential(1.0));
        assert_eq!(diverging(-3.0, true), diverging(-1.0, true));
        assert_eq!(sequential(f32::NAN), sequential(0.0));
    }

    /// WCAG's contrast of two colours.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let linear = |c: u8| {
            let s = f32::from(c) / 255.0;
            if s <= 0.04045 { s / 12.92 } else { ((s + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = |c: Color32| 0.2126 * linear(c.r()) + 0.7152 * linear(c.g()) + 0.0722 * linear(c.b());
        let (x, y) = (luminance(a), luminance(b));
        (x.max(y) + 0.05) / (x.min(y) + 0.05)
    }

    #[test]
    fn all_text_is_readable_on_what_is_behind_it() {
        for p in [LIGHT, DARK] {
            for (ink, ground) in [
                (p.text, p.card),
                (p.quiet, p.card),
                (p.quiet, p.ground),
                (p.accent, p.card),
                (p.on_accent, p.accent),
                (p.error, p.error_ground),
                (p.text, p.button),
                (p.second, p.card),
            ] {
                // WCAG's level AA for text.
                assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}: {}", contrast(ink, ground));
            }
        }
    }
}
