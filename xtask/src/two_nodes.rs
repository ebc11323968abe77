//! Which stories the step `two-nodes` tells again: those of the hub, of posts and of comments, by the rows that they stand for.
//! Their author and their reader are then on different nodes, over PostgreSQL and Redis.

/// Prefixes of names: every story of these rows.
pub(crate) const ROWS: &[&str] = &[
    "h1_", "h2_", "h3_", "h4_", "h5_", "h6_", "h7_", "h8_", "h10_", "h11_", "h12_", "h13_", "h14_", "h15_",
    "f2_", "f6_",
];

/// Stories of these rows that are not told again, and why.
pub(crate) const LEFT_OUT: &[(&str, &str)] = &[
    ("stories::nodes::", "these have two nodes of their own in the step before"),
    ("stories::faults::", "so have these"),
];
