//! What every reader must have been given, judged offset by offset as it comes.
//!
//! Pure: no clock, no socket, no task. `track` follows one reader of one channel; `ledger` compares what all readers and all
//! acknowledgements say of an offset; `operations` compares what was acknowledged with what is there at the end; `findings`
//! counts what was wrong, and keeps the first of it in words.

mod fault;
mod findings;
mod ledger;
mod operations;
mod track;

pub use fault::{Fault, Span};
pub use findings::Findings;
pub use ledger::{Ledger, SKIPPED};
pub use operations::{Misfit, Operations};
pub use track::Track;
