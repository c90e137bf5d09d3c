//! What happens where there is no memory for what is to be measured.

use super::{EvalError, Needs};
use crate::device::readback::ReadbackError;
use crate::device::{Device, caught_async, room};

/// Refuses what the machine has no memory for. A GPU is asked by trying: what does not fit ends at once.
pub(super) fn check(needs: &Needs, device: &Device) -> Result<(), EvalError> {
    match room::host_bytes().filter(|_| !device.is_gpu()) {
        Some(free) if needs.total() > free => Err(EvalError::Room { needs: needs.clone(), free: Some(free) }),
        _ => Ok(()),
    }
}

/// What `work` returns; where the device had no room for it, what it would have taken.
pub(super) async fn within<T>(needs: &Needs, work: impl Future<Output = Result<T, EvalError>>) -> Result<T, EvalError> {
    match caught_async(work).await {
        Ok(Err(EvalError::Readback(ReadbackError::OutOfMemory))) | Err(ReadbackError::OutOfMemory) => {
            Err(EvalError::Room { needs: needs.clone(), free: None })
        }
        Ok(done) => done,
        Err(lost) => Err(lost.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::ModelConfig;
    use crate::shipped::config;

    #[test]
    fn the_head_and_its_logits_count() {
        let tied = Needs::new(&ModelConfig { tied_head: true, ..config() }, 64, 1000);
        let apart = Needs::new(&ModelConfig { tied_head: false, ..config() }, 64, 1000);
        let head = (config().vocab_size * config().hidden_size * 4) as u64;
        assert_eq!(apart.total() - tied.total(), head);
        let wide = Needs::new(&ModelConfig { vocab_size: 100_000_000, tied_head: true, ..config() }, 64, 1000);
        assert!(wide.to_string().contains("logits 1.12 GiB"), "{wide}");
    }

    #[test]
    fn a_device_without_room_tells_what_it_would_have_taken() {
        let needs = Needs::new(&config(), 64, 1000);
        let full = async { Err::<(), _>(ReadbackError::OutOfMemory.into()) };
        let told = pollster::block_on(within(&needs, full)).unwrap_err().to_string();
        assert!(told.starts_with("the device ran out of memory") && told.contains("embedding"), "{told}");
        let huge = Needs::new(&ModelConfig { vocab_size: 1 << 40, ..config() }, 64, 1000);
        let refused = check(&huge, &Device::cpu()).unwrap_err().to_string();
        assert!(refused.contains("are free") && refused.contains("output head") != config().tied_head, "{refused}");
    }
}
