//! Floors: the same bytes are read or sent without our work. The figures next to a floor say which
//! share of the speed of the machine is left for the user.

pub mod scan;
pub mod tls;
