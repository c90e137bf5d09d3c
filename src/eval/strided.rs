//! Windows that overlap, of which only what is new is predicted: the perplexity of transformers'
//! documentation.

use super::EvalError;
use super::likelihood::Request;

/// Windows of at most `length` tokens, each beginning `stride` tokens after the one before, until
/// one reaches the end. A window predicts the tokens that no earlier one held; the very first token
/// of the text is predicted by none.
///
/// Every prediction counts once; scripts that average over windows give a slightly different number.
///
/// # Errors
/// When the text has less than two tokens, or a stride leaves tokens out between two windows.
pub fn strided(tokens: &[u32], length: usize, stride: usize) -> Result<Vec<Request>, EvalError> {
    if tokens.len() < 2 {
        return Err(EvalError::TooShort { tokens: tokens.len(), needed: 2 });
    }
    // Tokens that no window holds would be missing from the figure without a word.
    if stride > length {
        return Err(EvalError::Stride { stride, length });
    }
    let (mut windows, mut predicted) = (Vec::new(), 1);
    // A stride of 0 would never get on.
    for begin in (0..tokens.len()).step_by(stride.max(1)) {
        let end = tokens.len().min(begin + length);
        // Windows that only touch have no context before them: their first token is predicted by none.
        let new = predicted.max(begin + 1);
        if new < end {
            windows.push(Request { context: tokens[begin..new].to_vec(), continuation: tokens[new..end].to_vec() });
        }
        predicted = end;
        // A later window would hold nothing new.
        if end == tokens.len() {
            break;
        }
    }
    Ok(windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tokens: u32, length: usize, stride: usize, want: &[(&[u32], &[u32])]) {
        let tokens: Vec<u32> = (0..tokens).collect();
        let windows = strided(&tokens, length, stride).unwrap();
        let found: Vec<(&[u32], &[u32])> = windows.iter().map(|w| (&w.context[..], &w.continuation[..])).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn a_window_predicts_what_is_new_in_it() {
        check(7, 4, 2, &[(&[0], &[1, 2, 3]), (&[2, 3], &[4, 5]), (&[4, 5], &[6])]);
        check(4, 4, 2, &[(&[0], &[1, 2, 3])]);
        check(3, 8, 2, &[(&[0], &[1, 2])]);
    }

    #[test]
    fn windows_that_touch_predict_all_but_their_first_tokens() {
        check(6, 3, 3, &[(&[0], &[1, 2]), (&[3], &[4, 5])]);
        check(4, 3, 3, &[(&[0], &[1, 2])]);
    }

    #[test]
    fn a_stride_beyond_the_window_is_refused() {
        let refused = strided(&[0; 40], 4, 5).unwrap_err();
        assert!(matches!(refused, EvalError::Stride { stride: 5, length: 4 }), "{refused}");
        assert!(strided(&[0; 40], 4, 4).is_ok());
    }

    #[test]
    fn one_token_predicts_nothing() {
        assert!(strided(&[1], 4, 2).is_err());
    }
}
