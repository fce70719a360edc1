//! The questions to generated data. Some predicates select a known share of the records at every
//! scale, because shipment dates have the same distribution at every scale. Others return few
//! columns, or few records out of many.

use std::str::FromStr;

/// One question, without its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The name on the command line and in results.
    pub name: &'static str,
    /// The text between SELECT and FROM.
    pub columns: &'static str,
    /// The text after WHERE, to the end.
    pub predicate: &'static str,
}

impl Ask {
    /// Returns whether its answer consists of complete records of the file.
    pub fn is_share(self) -> bool {
        self.name.ends_with('%')
    }

    /// Returns the Select from `file`.
    pub fn sql(self, file: &str) -> String {
        let Self { columns, predicate, .. } = self;
        format!("SELECT {columns} FROM '{file}' WHERE {predicate}")
    }
}

/// The predicate of TPC-H Q6.
const Q6: &str = "l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' \
                  AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24";

/// All questions.
pub const ALL: [Ask; 8] = [
    // the last seven days, which have few shipments, all over the file
    Ask { name: "0.01%", columns: "*", predicate: "l_shipdate >= DATE '1998-11-25'" },
    Ask {
        name: "1%",
        columns: "*",
        predicate: "l_shipdate BETWEEN DATE '1995-06-01' AND DATE '1995-06-25'",
    },
    Ask {
        name: "10%",
        columns: "*",
        predicate: "l_shipdate BETWEEN DATE '1995-01-01' AND DATE '1995-09-09'",
    },
    Ask { name: "50%", columns: "*", predicate: "l_shipdate >= DATE '1995-06-17'" },
    Ask { name: "100%", columns: "*", predicate: "l_shipdate >= DATE '1992-01-01'" },
    Ask { name: "two columns", columns: "l_extendedprice, l_discount", predicate: Q6 },
    Ask { name: "sum", columns: "sum(l_extendedprice * l_discount) AS revenue", predicate: Q6 },
    Ask {
        name: "top 100",
        columns: "*",
        // ordered by the keys too, so that only one order is possible
        predicate: "l_shipdate >= DATE '1992-01-01' \
                    ORDER BY l_extendedprice DESC, l_orderkey, l_linenumber LIMIT 100",
    },
];

impl FromStr for Ask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ALL.into_iter().find(|ask| ask.name == text).ok_or_else(|| {
            let names = ALL.map(|ask| ask.name).join(", ");
            format!("`{text}` is not a question: {names}")
        })
    }
}
