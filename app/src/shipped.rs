//! The model that comes with the program: made by `examples/train_tiny`, compiled in.

/// Its config.json.
pub const CONFIG: &[u8] = include_bytes!("../../examples/tiny_model/config.json");
/// Its weights.
pub const WEIGHTS: &[u8] = include_bytes!("../../examples/tiny_model/model.safetensors");
/// Its tokenizer.json.
pub const TOKENIZER: &[u8] = include_bytes!("../../examples/tiny_model/tokenizer.json");
/// Text to calibrate it on.
pub const CALIBRATION: &str = include_str!("../../examples/tiny_model/calibration.txt");
/// Text to judge it by; the two share no story.
pub const EVALUATION: &str = include_str!("../../examples/tiny_model/eval.txt");
/// A beginning it knows how to go on with.
pub const PROMPT: &str = "One day Mia and Tom went to the park. Mia had a red ball. Tom had a blue kite. They swapped.";
