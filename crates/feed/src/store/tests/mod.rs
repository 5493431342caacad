//! The store on a disk that fails.

mod crash;
mod damage;
mod failing;
mod index;
mod model;
mod world;
