//! Making a post once, where nobody can tell whether an earlier call made it.

use async_trait::async_trait;

/// Where one post is made, and can be found again.
#[async_trait]
pub trait Board: Sync {
    type Made: Send;
    type Fault: Send;

    /// The post, if it is there.
    async fn find(&self) -> Result<Option<Self::Made>, Self::Fault>;
    async fn make(&self) -> Result<Self::Made, Self::Fault>;
    /// Why nobody can tell whether a call that ended so has made the post, if so.
    fn unclear(fault: &Self::Fault) -> Option<&str>;
}

/// Whether to look for a post before making it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    First,
    Later,
}

/// The post, made by this call or an earlier one.
pub async fn made<B: Board>(board: &B, look_first: Look) -> Result<B::Made, B::Fault> {
    /// Each round looks before it sends.
    const ROUNDS: usize = 4;
    let mut look = look_first;
    for _ in 1..ROUNDS {
        if look == Look::First
            && let Some(found) = board.find().await?
        {
            return Ok(found);
        }
        let fault = match board.make().await {
            Ok(made) => return Ok(made),
            Err(fault) => fault,
        };
        let Some(why) = B::unclear(&fault) else {
            return Err(fault);
        };
        tracing::warn!(why, "a post may have been made; looking for it");
        look = Look::First;
    }
    match board.find().await? {
        Some(found) => Ok(found),
        None => board.make().await,
    }
}
