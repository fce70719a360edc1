//! Lengths and places by the published rules, and what is said of texts that break them.

use super::*;
use crate::ErrorKind;
use fastrand::Rng;

fn parse(text: &str, options: &CopybookOptions) -> Copybook {
    let copybook =
        Copybook::parse("t.cpy", text, options).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let descriptor = copybook.to_descriptor("none");
    crate::descriptor::Descriptor::parse("t", &descriptor)
        .unwrap_or_else(|e| panic!("{e}\n{descriptor}"));
    copybook
}

/// `name offset length`, a line each.
fn places(copybook: &Copybook) -> Vec<String> {
    let place = |field: &Field| format!("{} {} {}", field.name, field.offset, field.coding.bytes);
    copybook.fields.iter().map(place).collect()
}

#[track_caller]
fn check(text: &str, bytes: u32, expected: &[&str]) {
    let copybook = parse(text, &CopybookOptions::default());
    assert_eq!(
        (places(&copybook), copybook.record_bytes()),
        (expected.iter().map(|&e| e.to_owned()).collect(), bytes)
    );
}

fn error(text: &str) -> String {
    let error = Copybook::parse("t.cpy", text, &CopybookOptions::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Descriptor { .. }));
    error.to_string()
}

/// The descriptor of one item.
fn described(clauses: &str, options: &CopybookOptions) -> String {
    let text = format!("01 F {clauses}.\n");
    let descriptor = parse(&text, options).to_descriptor("none");
    let (_, field) = descriptor.split_once("[[field]]\nname = \"f\"\ntype = ").unwrap();
    field.replace("offset = 0\n", "").trim().replace('\n', ", ")
}

/// IBM, Enterprise COBOL for z/OS Language Reference, 'USAGE clause' and 'SIGN clause', and the
/// Programming Guide, 'Formats for numeric data': storage by digits.
#[test]
fn storage_is_that_of_the_language_reference() {
    let cases = [
        ("PIC X(10)", "\"text\", length = 10"),
        ("PIC A(3)X99", "\"text\", length = 6"),
        ("PICTURE IS 9(4)", "\"digits\", length = 4"),
        ("PIC 9(5)V99", "\"digits\", length = 7, scale = 2"),
        ("PIC S9(4)", "\"zoned\", length = 4, sign = \"overpunch\""),
        ("PIC S9(4) SIGN IS LEADING", "\"zoned\", length = 4, sign = \"leading-overpunch\""),
        (
            "PIC S9(4) LEADING SEPARATE CHARACTER",
            "\"zoned\", length = 5, sign = \"leading-separate\"",
        ),
        ("PIC S9(4) SIGN TRAILING SEPARATE", "\"zoned\", length = 5, sign = \"separate\""),
        ("PIC S9(4) BINARY", "\"integer\", length = 2, byte_order = \"big\""),
        ("PIC S9(5) COMP", "\"integer\", length = 4, byte_order = \"big\""),
        ("PIC S9(9) USAGE IS COMPUTATIONAL-4", "\"integer\", length = 4, byte_order = \"big\""),
        ("PIC 9(10) COMP", "\"unsigned\", length = 8, byte_order = \"big\""),
        ("PIC S9(16)V99 COMP-5", "\"integer\", length = 8, byte_order = \"big\", scale = 2"),
        ("PIC S9(7) COMP-3", "\"packed\", length = 4"),
        ("PIC S9(6)V99 PACKED-DECIMAL", "\"packed\", length = 5, scale = 2"),
        ("PIC 9(31) COMP-3", "\"packed\", length = 16"),
        ("COMP-1", "\"float\", length = 4, coding = \"ibm\""),
        ("USAGE COMP-2", "\"float\", length = 8, coding = \"ibm\""),
        ("PIC ZZ,ZZ9.99-", "\"text\", length = 10"),
        ("PIC $$,$$9.99CR", "\"text\", length = 11"),
        ("PIC 9(5) BLANK WHEN ZERO", "\"text\", length = 5"),
        ("PIC S9(4) VALUE -5 COMP-5", "\"integer\", length = 2, byte_order = \"big\""),
        ("VALUE X'00' PIC X(3)", "\"text\", length = 3"),
        ("PIC X(3) VALUE IS ALL '*' JUSTIFIED RIGHT", "\"text\", length = 3"),
        ("VALUES ARE ZERO COMP-2", "\"float\", length = 8, coding = \"ibm\""),
        ("PIC 99/99/9999", "\"text\", length = 10"),
    ];
    let options = CopybookOptions { encoding: Encoding::Cp037, ..CopybookOptions::default() };
    for (clauses, expected) in cases {
        assert_eq!(described(clauses, &options), expected, "{clauses}");
    }
}

/// GnuCOBOL Programmer's Guide, 'USAGE': what differs from IBM's, and the options for it.
#[test]
fn storage_of_other_compilers() {
    let options = CopybookOptions {
        binary_size: BinarySize::From1,
        overpunch: Overpunch::Ebcdic,
        ..CopybookOptions::default()
    };
    let cases = [
        ("PIC S99 COMP", "\"integer\", length = 1, byte_order = \"big\""),
        ("PIC S999 COMP", "\"integer\", length = 2, byte_order = \"big\""),
        ("PIC S9(9) COMP-5", "\"integer\", length = 4, byte_order = \"little\""),
        ("PIC 9(5) COMP-6", "\"packed\", length = 3, sign = \"none\""),
        ("PIC S9(4)", "\"zoned\", length = 4, sign = \"ebcdic-overpunch\""),
        ("COMP-1", "\"float\", length = 4, byte_order = \"little\""),
        ("BINARY-LONG UNSIGNED", "\"unsigned\", length = 4, byte_order = \"little\""),
        ("USAGE BINARY-SHORT", "\"integer\", length = 2, byte_order = \"little\""),
        ("FLOAT-LONG", "\"float\", length = 8, byte_order = \"little\""),
    ];
    for (clauses, expected) in cases {
        assert_eq!(described(clauses, &options), expected, "{clauses}");
    }
    let options = CopybookOptions { byte_order: Some(ByteOrder::Big), ..options };
    assert_eq!(described("COMP-2", &options), "\"float\", length = 8, byte_order = \"big\"");
}

/// IBM, Enterprise COBOL for z/OS Language Reference, 'OCCURS clause' and 'REDEFINES clause':
/// an item that redefines begins where the other does, and what follows comes after that.
#[test]
fn places_follow_from_the_items_before() {
    let text = "
       01  ORDER-REC.
           05  ID              PIC 9(4).
           05  NAME-AND-ADDRESS.
               10  NAME        PIC X(6).
               10  ADDRESS     PIC X(4).
           05  FILLER          PIC XX.
           05  RATES USAGE COMP-1.
               10  RATE        OCCURS 3 TIMES ASCENDING KEY IS RATE
                               INDEXED BY I J COMP-3 PIC S9(3).
           05  A               PIC X(6).
           05  B REDEFINES A.
               10  B-1         PIC X(2).
               10  B-2         PIC 9(4).
               10  B-2-X REDEFINES B-2 PIC X(4).
           05  LINES-OF OCCURS 2.
               10  QTY         PIC 9.
               10  SIZES OCCURS 2 INDEXED BY I.
                   15  SIZE-CODE PIC X VALUE 'S'.
                       88  SMALL VALUES ARE 'S' 'T' THRU 'V'.
           05                  PIC X.
           05  LAST-ONE        PIC X.
";
    let before =
        ["id 0 4", "name 4 6", "address 10 4", "rate_1 16 2", "rate_2 18 2", "rate_3 20 2"];
    let after = [
        "qty_1 28 1",
        "size_code_1_1 29 1",
        "size_code_1_2 30 1",
        "qty_2 31 1",
        "size_code_2_1 32 1",
        "size_code_2_2 33 1",
        "last_one 35 1",
    ];
    let all = |middle: &[&str]| {
        [&before[..], middle, &after[..]].concat().iter().map(|&s| s.to_owned()).collect::<Vec<_>>()
    };
    let copybook = parse(text, &CopybookOptions::default());
    assert_eq!((places(&copybook), copybook.record_bytes()), (all(&["a 22 6"]), 36));
    assert_eq!(copybook.notes(), ["line 12: B shares its bytes with another and is passed over"]);
    let with = |names: &[&str]| {
        let redefines = names.iter().map(|&name| name.to_owned()).collect();
        let copybook = parse(text, &CopybookOptions { redefines, ..CopybookOptions::default() });
        assert_eq!(copybook.record_bytes(), 36);
        places(&copybook)
    };
    assert_eq!(with(&["b"]), all(&["b_1 22 2", "b_2 24 4"]));
    assert_eq!(with(&["B", "B-2-X"]), all(&["b_1 22 2", "b_2_x 24 4"]));
}

#[test]
fn of_several_records_one_is_taken() {
    let text = "01 HEAD. 05 A PIC X(3). 01 BODY. 05 B PIC X(5). 77 TAIL PIC 9.";
    let copybook = parse(text, &CopybookOptions::default());
    assert_eq!((places(&copybook), copybook.record_bytes()), (vec!["a 0 3".to_owned()], 3));
    assert_eq!(copybook.notes().len(), 2);
    let redefines = vec!["body".to_owned()];
    let copybook = parse(text, &CopybookOptions { redefines, ..CopybookOptions::default() });
    assert_eq!((places(&copybook), copybook.record_bytes()), (vec!["b 0 5".to_owned()], 5));
    // a part of a record
    check("05 A PIC X. 05 B. 10 C PIC XX.", 3, &["a 0 1", "c 1 2"]);
}

#[test]
fn names_that_are_not_alone_have_those_of_their_groups() {
    check(
        "01 R. 05 A. 10 ID PIC X. 10 N PIC X. 05 B. 10 ID PIC X. 05 C OCCURS 2. 10 ID PIC X.",
        5,
        &["a_id 0 1", "n 1 1", "b_id 2 1", "id_1 3 1", "id_2 4 1"],
    );
    let text = "01 R. 05 A PIC X. 05 A PIC X.";
    assert_eq!(error(text), "t.cpy: line 1, column 7: there are two items `r_a`");
}

#[test]
fn lines_of_either_source_format() {
    let fixed = "000100* a comment\n000200 01  CUSTOMER-REC.                                                   ignored\n\
                 000300     05  CUSTO\n000400-            MER-NAME  PIC X(2)\n      D    05 DEBUG PIC X.\n      /\n\
                 000500               VALUE 'it''s. a lite\n000600-    'ral'.\n\n\t05  B PIC 9,  *> the rest\n           .\n";
    check(fixed, 3, &["customer_name 0 2", "b 2 1"]);
    let free = "*> a comment\n01 customer-rec. *> another\n  05 a pic x(2) value \"a. b\".\n05 b pic 9;\n.";
    check(free, 3, &["a 0 2", "b 2 1"]);
    let options = CopybookOptions { source: SourceFormat::Fixed, ..CopybookOptions::default() };
    let error = Copybook::parse("t.cpy", "01 ABXY PIC X.\n", &options).unwrap_err().to_string();
    assert_eq!(
        error,
        "t.cpy: line 1, column 7: `Y` stands in the indicator column; is the source format fixed?"
    );
}

#[test]
fn complaints_tell_line_and_column() {
    let cases = [
        ("", "line 1, column 1: there is no item with a name"),
        ("01 A.", "line 1, column 1: an elementary item needs a PICTURE"),
        ("01 FILLER PIC X.", "line 1, column 1: there is no item with a name"),
        ("01 A PIC X", "line 1, column 10: a period is missing at the end"),
        ("01 A PIC.", "line 1, column 9: the string after PICTURE is missing"),
        (
            "01 A\nPIC 9(3)P(2).",
            "line 2, column 5: PICTURE 9(3)P(2): `P` (scaling positions) is not supported",
        ),
        ("01 A PIC 9(.", "line 1, column 10: PICTURE 9(: a parenthesis has no end"),
        (
            "01 A PIC X(0).",
            "line 1, column 10: PICTURE X(0): `(0)` is not a number from 1 to 1048576",
        ),
        ("01 A PIC 9(39).", "line 1, column 10: PICTURE 9(39): 39 digits, at most 38 are accepted"),
        ("01 A PIC 9S.", "line 1, column 10: PICTURE 9S: `S` stands once, and first"),
        ("01 A PIC 9V9V9.", "line 1, column 10: PICTURE 9V9V9: `V` stands there twice"),
        ("01 A PIC S.", "line 1, column 10: PICTURE S: it has no characters"),
        (
            "01 A PIC N(3).",
            "line 1, column 10: PICTURE N(3): `N` (national characters) is not supported",
        ),
        ("01 A PIC Q.", "line 1, column 10: PICTURE Q: `Q` is not a symbol of a PICTURE"),
        ("01 A PIC X COMP.", "line 1, column 10: this USAGE is for numbers"),
        ("01 A PIC 9 COMP-1.", "line 1, column 10: this USAGE has no PICTURE"),
        ("01 A PIC S9(20) COMP.", "line 1, column 10: 20 digits, a binary number has 18 at most"),
        (
            "01 A PIC S9(38) COMP-3.",
            "line 1, column 10: 38 digits, a packed decimal has 37 at most",
        ),
        ("01 A PIC S9 COMP-6.", "line 1, column 10: COMP-6 has no sign"),
        (
            "01 A POINTER.",
            "line 1, column 6: `POINTER` is not supported here; is a period missing?",
        ),
        (
            "01 A PIC X SYNC.",
            "line 1, column 12: SYNCHRONIZED is not supported: it moves what follows",
        ),
        (
            "01 A. 05 B PIC X OCCURS 5 DEPENDING ON N.",
            "line 1, column 27: OCCURS DEPENDING ON is not supported: records have one length",
        ),
        (
            "01 A. 05 B PIC X OCCURS 1 TO 5 DEPENDING ON N.",
            "line 1, column 27: OCCURS … TO … is not supported: records have one length",
        ),
        (
            "01 A. 05 B PIC X OCCURS 0.",
            "line 1, column 25: `0`: the number after OCCURS is a number from 1 to 1048576",
        ),
        (
            "01 A. 05 B PIC X(1000) OCCURS 10000.",
            "line 1, column 7: 10000000 bytes, a record has at most 1048576",
        ),
        (
            "01 A. 05 B OCCURS 1000000. 10 C OCCURS 1000000. 15 D PIC X(9).",
            "line 1, column 28: 9000000 bytes, a record has at most 1048576",
        ),
        (
            "01 A. 05 B PIC X OCCURS 20000.",
            "line 1, column 7: more than 16384 fields, elements included",
        ),
        ("01 A. 05 B PIC X. 10 C PIC X.", "line 1, column 16: a group has no PICTURE"),
        (
            "01 A. 10 B PIC X. 05 C PIC X.",
            "line 1, column 19: level 05, the items before it in this group have 10",
        ),
        ("05 A PIC X. 01 B PIC X.", "line 1, column 13: level 01 after items of no record"),
        (
            "01 A. 05 B PIC X. 05 C REDEFINES D PIC X.",
            "line 1, column 34: `D` is not the item before this one",
        ),
        (
            "01 A. 05 B PIC X. 05 C REDEFINES B PIC XX.",
            "line 1, column 34: 2 bytes redefine `B`, which has 1",
        ),
        (
            "50 A PIC X.",
            "line 1, column 1: `50` is not a level number; an entry begins with 01 to 49, 66, 77 or 88",
        ),
        ("COPY OTHER.", "line 1, column 1: COPY is not followed; give the text that it makes"),
        (
            "01 :TAG:-A PIC X.",
            "line 1, column 4: `:TAG:-A` is not a name of letters, digits, - and _",
        ),
        ("01 'A' PIC X.", "line 1, column 4: `'` is not a name of letters, digits, - and _"),
        ("01 A PIC X VALUE.", "line 1, column 12: the value after VALUE is missing"),
        ("01 A PIC X VALUE 'abc.", "line 1, column 18: a literal has no end"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), format!("t.cpy: {expected}"), "{text}");
    }
    let redefines = vec!["X".to_owned()];
    let options = CopybookOptions { redefines, ..CopybookOptions::default() };
    let error = |text| Copybook::parse("t.cpy", text, &options).unwrap_err().to_string();
    let expected = "t.cpy: line 1, column 1: `X` is not a definition of this copybook; it has A, C";
    assert_eq!(error("01 A. 05 B PIC 9. 05 C REDEFINES B PIC 9."), expected);
}

/// A copybook of random items, with the bytes that it should have.
fn generate(random: &mut Rng, level: u8, text: &mut String, number: &mut u32) -> u32 {
    let mut bytes = 0;
    for _ in 0..random.u32(1..4) {
        *number += 1;
        let times = if random.u8(0..4) == 0 { random.u32(1..4) } else { 1 };
        let occurs = if times > 1 { format!(" OCCURS {times} TIMES") } else { String::new() };
        text.push_str(&format!("{level:02} ITEM-{number}{occurs}"));
        let once = if level < 20 && random.u8(0..3) == 0 {
            text.push_str(".\n");
            let below = level + random.u8(1..5);
            generate(random, below, text, number)
        } else {
            let digits = random.u32(1..19);
            let scale = random.u32(0..=digits.min(3));
            let picture = match (digits - scale, scale) {
                (whole, 0) => format!("S9({whole})"),
                (0, scale) => format!("SV9({scale})"),
                (whole, scale) => format!("S9({whole})V9({scale})"),
            };
            let (clauses, once) = match random.u8(0..5) {
                0 => (format!("PIC X({digits})"), digits),
                1 => (format!("PIC {picture}"), digits),
                2 => (format!("PIC {picture} COMP-3"), (digits + 2) / 2),
                3 => (format!("PIC {picture} SIGN LEADING SEPARATE"), digits + 1),
                _ => {
                    let once = if digits < 5 {
                        2
                    } else if digits < 10 {
                        4
                    } else {
                        8
                    };
                    (format!("PIC {picture} COMP"), once)
                }
            };
            text.push_str(&format!(" {clauses}.\n"));
            once
        };
        bytes += once * times;
    }
    bytes
}

#[test]
fn lengths_add_up() {
    let mut random = Rng::with_seed(5);
    for _ in 0..300 {
        let mut text = "01 REC.\n".to_owned();
        let bytes = generate(&mut random, 2, &mut text, &mut 0);
        let copybook = parse(&text, &CopybookOptions::default());
        assert_eq!(copybook.record_bytes(), bytes, "{text}");
        let mut end = 0;
        for field in &copybook.fields {
            assert_eq!(field.offset, end, "{text}");
            end += field.coding.bytes;
        }
        assert_eq!(end, bytes, "{text}");
    }
}

/// Any text is taken or refused with its place; what is taken is a descriptor.
#[test]
fn texts_with_faults_are_taken_or_refused() {
    let mut random = Rng::with_seed(6);
    for turn in 0..3000 {
        let mut text = "      * comment\n       01 REC.\n".to_owned();
        generate(&mut random, 2, &mut text, &mut 0);
        text.push_str("05 X REDEFINES REC PIC X VALUE 'a'.\n");
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..random.usize(1..5) {
            let at = random.usize(0..chars.len());
            let other = chars[random.usize(0..chars.len())];
            match random.u8(0..4) {
                0 => drop(chars.remove(at)),
                1 => chars.insert(at, other),
                2 => chars[at] = random.char('\0'..'\u{2FF}'),
                _ if turn % 10 == 0 => chars.truncate(at + 1),
                _ => chars[at] = other,
            }
        }
        let text: String = chars.into_iter().collect();
        crate::property::copybooks_make_descriptors(&text);
    }
    let deep: String = (1..=49).map(|level| format!("{level:02} A{level} OCCURS 9.\n")).collect();
    assert!(error(&(deep + " 49 X PIC X.")).contains("line 49"));
    let long = "A".repeat(64);
    assert!(error(&format!("01 {long} PIC X.")).ends_with("a name has at most 63 characters"));
    let long = "A".repeat(63);
    let many = error(&format!("01 R. 05 {long} PIC X OCCURS 16384."));
    assert!(many.contains("bytes, elements included; at most 1048576"), "{many}");
    assert!(error(&"(".repeat(100_000)).contains("is not a level number"));
    assert!(error(&format!("01 A PIC {}.", "X".repeat(2_000_000))).contains("more than 1048576"));
}
