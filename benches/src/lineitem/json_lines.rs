//! The encoder of `lineitem` as JSON Lines: one object in each line, decimals with two digits after
//! the point, dates as text.

use std::io::Write;

use tpchgen::generators::LineItem;

pub(super) fn encode(item: &LineItem<'_>, out: &mut Vec<u8>) {
    let written = write!(
        out,
        "{{\"l_orderkey\":{},\"l_partkey\":{},\"l_suppkey\":{},\"l_linenumber\":{},\
         \"l_quantity\":{}.00,\"l_extendedprice\":{},\"l_discount\":{},\"l_tax\":{},\
         \"l_returnflag\":\"{}\",\"l_linestatus\":\"{}\",\"l_shipdate\":\"{}\",\
         \"l_commitdate\":\"{}\",\"l_receiptdate\":\"{}\",\"l_shipinstruct\":\"{}\",\
         \"l_shipmode\":\"{}\",\"l_comment\":",
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
    let written = serde_json::to_writer(&mut *out, item.l_comment);
    debug_assert!(written.is_ok(), "a vector takes every write");
    out.extend_from_slice(b"}\n");
}
