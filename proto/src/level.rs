//! Security compliance levels: which protocols, suites and key exchanges a channel may use.
