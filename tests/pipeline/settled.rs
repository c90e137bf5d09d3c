//! What is told as done is done: a GPU takes in hours of work in seconds.

use std::time::{Duration, Instant};

use pollster::block_on;
use slimgpt::device::readback::{floats, settled};

use crate::support::{matrix, random, software_gpu};

#[test]
fn a_settled_tensor_need_not_be_waited_for() {
    let gpu = software_gpu();
    let n = 384;
    let x = matrix(&random(n * n, 1), [n, n], &gpu);
    let work = || (0..12).fold(x.clone(), |y, _| y.matmul(x.clone()).mul_scalar(0.1));
    let timed = |wait: &dyn Fn()| -> Duration {
        let began = Instant::now();
        wait();
        began.elapsed()
    };
    // What has to be compiled and tried out is, by now.
    block_on(floats(work())).unwrap();
    let y = work();
    let settling = timed(&|| block_on(settled(&y)).unwrap());
    // The same element by the same kernels.
    let reading = timed(&|| drop(block_on(floats(y.clone().slice([0..1, 0..1]))).unwrap()));
    assert!(settling > reading, "{settling:?} to settle, and then {reading:?} to read one element");
}
