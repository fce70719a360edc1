//! The encoder of `lineitem` as fixed-length records, with the storage of business systems: binary
//! keys, zoned and packed decimals, dates as digits, space-padded text.

use tpchgen::dates::TPCHDate;
use tpchgen::generators::LineItem;

/// The length of a record, in bytes. There is no terminator.
pub const RECORD_BYTES: usize = 160;

/// The descriptor of the records that [`encode`] writes.
pub(super) const DESCRIPTOR: &str = include_str!("lineitem.dat.toml");

pub(super) fn encode(item: &LineItem<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + RECORD_BYTES, b' ');
    let record = &mut out[start..];
    record[0..8].copy_from_slice(&item.l_orderkey.to_le_bytes());
    zoned(&mut record[8..16], item.l_partkey);
    zoned(&mut record[16..23], item.l_suppkey);
    record[23..25].copy_from_slice(&item.l_linenumber.to_le_bytes()[..2]);
    zoned(&mut record[25..32], item.l_quantity * 100);
    zoned(&mut record[32..43], item.l_extendedprice.into_inner());
    packed(&mut record[43..46], item.l_discount.into_inner());
    packed(&mut record[46..49], item.l_tax.into_inner());
    text(&mut record[49..50], item.l_returnflag);
    text(&mut record[50..51], item.l_linestatus);
    date(&mut record[51..59], item.l_shipdate);
    date(&mut record[59..67], item.l_commitdate);
    date(&mut record[67..75], item.l_receiptdate);
    text(&mut record[75..100], item.l_shipinstruct);
    text(&mut record[100..110], item.l_shipmode);
    text(&mut record[110..154], item.l_comment);
}

/// Writes a zoned decimal: digits, with the sign as 0x40 in the last one.
fn zoned(field: &mut [u8], value: i64) {
    let mut rest = value.unsigned_abs();
    for place in field.iter_mut().rev() {
        *place = b'0' + digit(rest);
        rest /= 10;
    }
    debug_assert_eq!(rest, 0, "{value} in {} digits", field.len());
    if let (true, Some(last)) = (value < 0, field.last_mut()) {
        *last |= 0x40;
    }
}

/// Writes a packed decimal: two digits in each byte; the last nibble is the sign, C or D.
fn packed(field: &mut [u8], value: i64) {
    let mut rest = value.unsigned_abs();
    let mut low = if value < 0 { 0xD } else { 0xC };
    for place in field.iter_mut().rev() {
        *place = digit(rest) << 4 | low;
        low = digit(rest / 10);
        rest /= 100;
    }
    debug_assert_eq!((rest, low), (0, 0), "{value} in {} packed bytes", field.len());
}

fn digit(value: u64) -> u8 {
    (value % 10) as u8
}

/// Writes a date as YYYYMMDD.
fn date(field: &mut [u8], value: TPCHDate) {
    let (year, month, day) = value.to_ymd();
    zoned(field, i64::from((1900 + year) * 10_000 + month * 100 + day));
}

fn text(field: &mut [u8], value: &str) {
    field[..value.len()].copy_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{packed, zoned};

    #[test]
    fn signs_are_where_cobol_puts_them() {
        let mut field = [0; 3];
        zoned(&mut field, 42);
        assert_eq!(&field, b"042");
        zoned(&mut field, -42);
        assert_eq!(&field, b"04r");
        packed(&mut field, 12_345);
        assert_eq!(field, [0x12, 0x34, 0x5C]);
        packed(&mut field, -7);
        assert_eq!(field, [0x00, 0x00, 0x7D]);
    }
}
