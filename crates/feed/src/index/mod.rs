//! Where each extent of blocks, and each page of tree nodes, lies; rebuilt from segments when lost.
//! Not its job: reading block bytes, deciding what is valid.

pub(crate) mod change;
pub(crate) mod checkpoint;
pub(crate) mod extent;
pub(crate) mod overlay;
pub(crate) mod pages;
pub(crate) mod rows;
pub(crate) mod space;
pub(crate) mod table;
