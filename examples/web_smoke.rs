//! experiment
#[cfg(target_arch = "wasm32")]
mod page {
use burn::tensor::{Device, Tensor, TensorData};
use wasm_bindgen::prelude::*;
#[wasm_bindgen]
pub async fn run() -> String {
    console_error_panic_hook::set_once();
    let host = Device::flex();
    let a: Vec<f32> = (0..33*17).map(|i| (i % 7) as f32 - 3.0).collect();
    let b: Vec<f32> = (0..17*5).map(|i| (i % 5) as f32 - 2.0).collect();
    let want = product(&a, &b, &host).await;
    let device = match Device::wgpu_options().init_async().await { Ok(d) => d, Err(e) => return format!("no gpu: {e} / flex ran: {want:?}") };
    let got = product(&a, &b, &device).await;
    format!("{:?}", want.iter().zip(&got).map(|(a,b)| (a-b).abs()).fold(0.0, f32::max))
}
async fn product(a: &[f32], b: &[f32], device: &Device) -> Vec<f32> {
    let a = Tensor::<2>::from_data(TensorData::new(a.to_vec(), [33, 17]), device);
    let b = Tensor::<2>::from_data(TensorData::new(b.to_vec(), [17, 5]), device);
    a.matmul(b).into_data_async().await.unwrap().try_to_vec::<f32>().unwrap()
}
}
