//! The tree against a slow plain model, against liars, and case by case.

mod basics;
mod convergence;
mod feeds;
mod model;
mod peers;
mod speed;
