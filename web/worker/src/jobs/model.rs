//! The shipped model from the bytes of its files. They are not compiled in: lessons that need no
//! model must not load it, and the worker fetches it beside itself.

use slimgpt::checkpoint::Checkpoint;
use slimgpt::text::Tokenizer;

use super::Failure;

/// A file and its name.
pub type Named = (String, Vec<u8>);

/// The name of a file, and its size when this was compiled: only that is linked.
macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../../examples/tiny_model/", $name)).len())
    };
}

/// The files that a model is opened from, with their sizes.
pub const FILES: [(&str, usize); 7] = [
    file!("config.json"),
    file!("model.safetensors"),
    file!("tokenizer.json"),
    file!("tokenizer_config.json"),
    file!("generation_config.json"),
    file!("calibration.txt"),
    file!("eval.txt"),
];

/// What comes along with every model that is made of this one.
const BELONGINGS: [&str; 3] = ["tokenizer.json", "tokenizer_config.json", "generation_config.json"];

/// The shipped model with its texts.
pub struct Model {
    pub(super) checkpoint: Checkpoint,
    pub(super) tokenizer: Tokenizer,
    /// What layers are calibrated on.
    pub(super) calibration: String,
    /// What models are judged by; the two share no story.
    pub(super) evaluation: String,
    files: Vec<Named>,
}

impl Model {
    /// Opens it from its [`FILES`].
    ///
    /// # Errors
    /// When one is missing, has another size or cannot be read.
    pub fn open(files: Vec<Named>) -> Result<Self, Failure> {
        for (name, size) in FILES {
            let found = file(&files, name)?.len();
            if found != size {
                let words = format!("model/{name} has {found} bytes, but this page was made for one of {size}");
                return Err(Failure::refused(words));
            }
        }
        let text = |name| Ok::<_, Failure>(String::from_utf8_lossy(file(&files, name)?).into_owned());
        let weights = file(&files, "model.safetensors")?.to_vec();
        let checkpoint = Checkpoint::from_bytes(file(&files, "config.json")?, weights)?;
        let tokenizer = Tokenizer::from_bytes(file(&files, "tokenizer.json")?, checkpoint.config().vocab_size)?;
        let (calibration, evaluation) = (text("calibration.txt")?, text("eval.txt")?);
        let mut files = files;
        files.retain(|(name, _)| BELONGINGS.contains(&name.as_str()));
        Ok(Self { checkpoint, tokenizer, calibration, evaluation, files })
    }

    /// The files that come along with every model that is made of this one.
    pub(super) fn belongings(&self) -> impl Iterator<Item = &Named> {
        self.files.iter()
    }
}

fn file<'a>(files: &'a [Named], name: &str) -> Result<&'a [u8], Failure> {
    let found = files.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.as_slice());
    found.ok_or_else(|| Failure::refused(format!("model/{name} is missing")))
}
