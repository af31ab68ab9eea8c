//! Inference: chat models and embedders behind the ports.
