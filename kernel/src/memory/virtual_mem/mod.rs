//! Virtual memory as the machine knows it. Policy is in [`address_space`](super::address_space).

pub mod page_table;
