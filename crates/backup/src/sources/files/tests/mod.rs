//! Files from source to payload and back, with a sink in memory between.

mod harness;
mod hostile;
mod in_place;
mod programs;
mod random;
mod restore;
mod source;
mod trees;
