//! stub
use super::passage::{Found, Passage, TermWeight};
pub fn confidence(_q: &str, _f: &Found) -> f32 {
    0.0
}
pub struct Evidence(Vec<Passage>, Vec<TermWeight>);
impl Evidence {
    pub fn gather(_q: &str, f: Found, _floor: f32) -> Option<Self> {
        Some(Self(f.passages, f.terms))
    }
    pub fn passages(&self) -> &[Passage] {
        &self.0
    }
    pub fn terms(&self) -> &[TermWeight] {
        &self.1
    }
}
