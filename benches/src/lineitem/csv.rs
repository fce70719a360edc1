//! The encoder of `lineitem` as CSV: RFC 4180 with a header; fields are quoted only if necessary.

use std::io::Write;

use tpchgen::generators::LineItem;

pub(super) const HEADER: &[u8] =
    b"l_orderkey,l_partkey,l_suppkey,l_linenumber,l_quantity,l_extendedprice,\
l_discount,l_tax,l_returnflag,l_linestatus,l_shipdate,l_commitdate,l_receiptdate,l_shipinstruct,\
l_shipmode,l_comment\n";

pub(super) fn encode(item: &LineItem<'_>, out: &mut Vec<u8>) {
    let written = write!(
        out,
        "{},{},{},{},{}.00,{},{},{},{},{},{},{},{},{},{},",
        item.l_orderkey,
        item.l_partkey,
        item.l_suppkey,
        item.l_linenumber,
        item.l_quantity,
        item.l_extendedprice,
        item.l_discount,
        item.l_tax,
        item.l_returnflag,
        item.l_linestatus,
        item.l_shipdate,
        item.l_commitdate,
        item.l_receiptdate,
        item.l_shipinstruct,
        item.l_shipmode
    );
    debug_assert!(written.is_ok(), "a vector takes every write");
    text(item.l_comment, out);
    out.push(b'\n');
}

fn text(value: &str, out: &mut Vec<u8>) {
    if !value.contains([',', '"', '\r', '\n']) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in value.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn quotes_only_what_must_be() {
        let quoted = |value| {
            let mut out = Vec::new();
            text(value, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a, b"), "\"a, b\"");
        assert_eq!(quoted("say \"a\""), "\"say \"\"a\"\"\"");
    }
}
