//! Composition: builds each part, wires the traits that go upward, opens the listeners, and drains in order.
//!
//! The only place that knows every part. It holds no rule of the product.

pub mod doctor;
mod instance;
mod logging;
mod settings;
mod stop;

pub use instance::{DataFolder, DataFolderError};
