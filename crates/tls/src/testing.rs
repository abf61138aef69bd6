//! A provider and a solver in memory.
