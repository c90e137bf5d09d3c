//! What a person can do about an error, as a choice: the command line names flags for it, the window
//! names its own controls, and the library names neither.

/// What a person can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter)]
pub enum Remedy {
    /// Say how much is to go: a target, or a schedule that says it.
    SayHowMuch,
    /// Remove less, or let the gentlest layer lose more so that the others lose less.
    RemoveLess,
    /// Remove less, or share it out evenly.
    ShareEvenly,
    /// Allow that a layer loses a whole half.
    WholeSites,
    /// Remove whole key/value groups.
    WholeGroups,
    /// Let no heads go.
    KeepHeads,
    /// Choose another method, or a model that has biases.
    OtherMethod,
    /// Give a damping that is a number, such as 0.01.
    UsualDamping,
    /// Calibrate on more tokens, or damp the Hessian more.
    MoreTokensOrDamping,
    /// Allow so many bytes where the work is done, or work on the CPU.
    AllowMemory(u64),
    /// Learn from fewer or shorter sequences at once, or learn fewer numbers.
    LearnLess,
    /// Take at most so many calibration windows.
    Windows(u64),
    /// Take windows of at most so many tokens, or work on the CPU.
    WindowTokens(u64),
    /// Let windows begin at most so many tokens apart.
    Stride(usize),
    /// Give the device less at once, or work on the CPU.
    LessAtOnce,
    /// Give more text, or ask for fewer or shorter windows.
    MoreText,
    /// Give a smaller text, take its first documents, or take windows from its beginning.
    LessText,
    /// Name the key under which the text stands in a row.
    TextKey,
    /// Ask for no begin-of-sequence token.
    NoBegin,
    /// Measure by windows, which need no token to begin with.
    WindowProtocol,
    /// Continue the text without a chat template.
    NoChat,
    /// Leave rows out that cannot be used.
    SkipRows,
    /// Store the weights in a type with a larger range.
    WiderType,
    /// Store the weights in a type with a larger range, afresh: what is finished has the other type.
    WiderTypeAfresh,
    /// Keep activations in single precision, afresh: what is finished was made of others.
    WiderActivations,
    /// Work on the CPU.
    Cpu,
    /// Work on another device that is listed, or on the CPU.
    OtherDevice,
    /// Put the output elsewhere.
    OtherPlace,
    /// Put the output elsewhere, or replace what is there.
    Replace,
    /// Put the output elsewhere, or start afresh in place of the run that stands there.
    StartAfresh,
    /// Allow that it is downloaded, once.
    Online,
    /// Have the model that low-rank factors were trained on where it is looked for.
    GetBase,
    /// Measure what layers of the model take on this device, and search with that.
    MeasureTimes,
}

/// An error that may know what helps.
pub trait Remedied {
    /// What helps, if it is known.
    fn remedy(&self) -> Option<Remedy>;
}
