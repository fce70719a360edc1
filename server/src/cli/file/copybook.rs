//! The options of `siftd file create-descriptor` for COBOL copybooks.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sift_select::copybook::{
    BinarySize, ByteOrder, CopybookOptions, Encoding, Overpunch, SourceFormat,
};

use crate::descriptor::copybook::Terminator;

#[derive(Debug, Args)]
#[command(next_help_heading = "Fixed-length records by a copybook")]
pub(super) struct CopybookArgs {
    /// Take the layout of the records from this COBOL copybook
    ///
    /// Elements of an OCCURS become fields of their own, name_1 and so on. OCCURS DEPENDING ON,
    /// SYNCHRONIZED and P in a PICTURE are refused.
    #[arg(long, value_name = "COPYBOOK", conflicts_with_all = ["delimiter", "null"])]
    pub(super) copybook: Option<PathBuf>,

    /// Take this one of several definitions (REDEFINES) or of several records; may be given several
    /// times [default: the first]
    #[arg(long = "redefine", value_name = "NAME", requires = "copybook")]
    redefines: Vec<String>,

    /// The encoding of characters; with EBCDIC, COMP-1 and COMP-2 are floats of IBM
    #[arg(long, value_enum, default_value_t = EncodingWord::Utf8, requires = "copybook")]
    encoding: EncodingWord,

    /// The byte order of COMP-5, COMP-1 and COMP-2 [default: big in EBCDIC, else little]
    ///
    /// COMP, COMP-4 and BINARY are big-endian.
    #[arg(long, value_enum, requires = "copybook")]
    byte_order: Option<OrderWord>,

    /// The possible sizes of binary numbers
    #[arg(long, value_enum, default_value_t = SizeWord::From2, requires = "copybook")]
    binary_size: SizeWord,

    /// The form of the sign in the last digit of a number, in ASCII
    #[arg(long, value_enum, default_value_t = OverpunchWord::Ascii, requires = "copybook")]
    overpunch: OverpunchWord,

    /// The columns of the copybook's lines that have text [default: found by its first line]
    #[arg(long, value_enum, requires = "copybook")]
    source_format: Option<SourceWord>,

    /// The bytes after each record [default: found in the data file]
    #[arg(long, value_enum, requires = "copybook")]
    pub(super) terminator: Option<Terminator>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EncodingWord {
    #[value(name = "utf-8")]
    Utf8,
    #[value(name = "latin-1")]
    Latin1,
    /// EBCDIC 037
    Cp037,
    /// EBCDIC 1047
    Cp1047,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OrderWord {
    Little,
    Big,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SizeWord {
    /// IBM, and GnuCOBOL with -std=ibm
    #[value(name = "2-4-8")]
    From2,
    /// GnuCOBOL by default
    #[value(name = "1-2-4-8")]
    From1,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverpunchWord {
    /// p to y for -0 to -9
    Ascii,
    /// { and A to I for +0 to +9, } and J to R for -0 to -9
    Ebcdic,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SourceWord {
    /// Columns 8 to 72
    Fixed,
    /// All columns
    Free,
}

impl CopybookArgs {
    pub(super) fn options(&self) -> CopybookOptions {
        CopybookOptions {
            source: match self.source_format {
                None => SourceFormat::Detect,
                Some(SourceWord::Fixed) => SourceFormat::Fixed,
                Some(SourceWord::Free) => SourceFormat::Free,
            },
            encoding: match self.encoding {
                EncodingWord::Utf8 => Encoding::Utf8,
                EncodingWord::Latin1 => Encoding::Latin1,
                EncodingWord::Cp037 => Encoding::Cp037,
                EncodingWord::Cp1047 => Encoding::Cp1047,
            },
            byte_order: self.byte_order.map(|order| match order {
                OrderWord::Little => ByteOrder::Little,
                OrderWord::Big => ByteOrder::Big,
            }),
            binary_size: match self.binary_size {
                SizeWord::From2 => BinarySize::From2,
                SizeWord::From1 => BinarySize::From1,
            },
            overpunch: match self.overpunch {
                OverpunchWord::Ascii => Overpunch::Ascii,
                OverpunchWord::Ebcdic => Overpunch::Ebcdic,
            },
            redefines: self.redefines.clone(),
        }
    }
}
