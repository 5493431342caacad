//! Where each extent of blocks, and each page of tree nodes, lies; rebuilt from segments when lost.
