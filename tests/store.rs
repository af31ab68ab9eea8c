//! The library on disk survives what happens to disks and processes.
