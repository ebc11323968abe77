//! A network in virtual time for tests: seeded loss, reordering, duplication and delay.
