//! Which stories the step `two-nodes` tells again: those of the hub, of posts, comments, shares and figures, by the rows that they stand for.
//! Their author and their reader are then on different nodes, over PostgreSQL and Redis.

/// Prefixes of names: every story of these rows.
pub(crate) const ROWS: &[&str] = &[
    "h1_", "h2_", "h3_", "h4_", "h5_", "h6_", "h7_", "h8_", "h10_", "h11_", "h12_", "h13_", "h14_", "h15_",
    "f2_", "f3_", "f6_", "f7_", "f8_",
];

/// Stories of these rows that are not told again, and why.
pub(crate) const LEFT_OUT: &[(&str, &str)] = &[
    ("stories::nodes::", "these have two nodes of their own in the step before"),
    ("stories::faults::", "so have these"),
    (
        "f2_14_the_fifty_first_post_in_a_minute_is_rate_limited",
        "nodes tell each other four times a second what a person has used: posts_of_one_person_on_two_nodes_share_one_limit",
    ),
    (
        "h13_sigterm_drains_and_ends_with_zero",
        "each node gives slots to its own people: h13_h14_a_node_of_two_that_stops_sends_its_people_to_the_other_and_nobody_misses_anything",
    ),
];
