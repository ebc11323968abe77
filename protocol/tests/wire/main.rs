//! Tests of the wire: frozen lines, what is refused, round trips, broken bytes, and the specification's examples.

mod decoding;
mod frozen;
mod lines;
mod live;
mod mutations;
mod round_trip;
mod samples;
mod seed;
mod shapes;
mod spec;
