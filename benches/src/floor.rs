//! Floors: the same bytes read, or sent, without our work. What stands beside one says how much of
//! what the machine can do is left for the user.

pub mod scan;
pub mod tls;
