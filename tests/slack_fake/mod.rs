//! The fake Slack, held against what Slack's pages say it refuses.
