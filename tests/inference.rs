//! The real starter models, and the fakes where a real one cannot fail on demand.
