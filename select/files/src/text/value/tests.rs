use fastrand::Rng;

use super::*;
use crate::calendar::{days_in_month, days_of_civil};

/// A text of a few bytes that is often nearly a number.
fn text(random: &mut Rng, length_max: usize) -> Vec<u8> {
    const OTHERS: &[u8] = b".-+/:;,eE \x00\xAE\xB0\xB9\xCA\xCF\xFF";
    let mut text: Vec<u8> =
        (0..random.usize(..=length_max)).map(|_| random.u8(b'0'..=b'9')).collect();
    for _ in 0..random.usize(..3) {
        let byte = if random.bool() { b'.' } else { OTHERS[random.usize(..OTHERS.len())] };
        text.insert(random.usize(..=text.len()), byte);
    }
    if random.u8(..4) == 0 {
        text.insert(0, if random.bool() { b'-' } else { b'+' });
    }
    if random.u8(..8) == 0 {
        text.splice(..0, [b'0'; 30]);
    }
    text
}

/// The same rules, one character after the other.
fn plain_decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let negative = text.first() == Some(&b'-');
    let magnitude = &text[usize::from(negative || text.first() == Some(&b'+'))..];
    let mut parts = magnitude.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    if whole.len() + fraction.len() == 0 || fraction.len() > usize::from(scale) {
        return None;
    }
    let zeros = std::iter::repeat_n(&b'0', usize::from(scale) - fraction.len());
    let mut value = 0_i128;
    for byte in whole.iter().chain(fraction).chain(zeros) {
        let digit = char::from(*byte).to_digit(10)?;
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    let value = (value < 10_i128.pow(u32::from(precision))).then_some(value)?;
    Some(if negative { -value } else { value })
}

#[test]
fn decimals_are_what_their_characters_say() {
    let mut random = Rng::with_seed(3);
    let mut values = 0;
    for _ in 0..400_000 {
        let length_max = [3, 9, 20, 40][random.usize(..4)];
        let text = text(&mut random, length_max);
        let precision = random.u8(1..=38);
        let scale_max = if random.bool() { 4 } else { 38 };
        let scale = random.u8(..=precision.min(scale_max));
        let value = decimal(&text, precision, scale);
        let shown = String::from_utf8_lossy(&text);
        assert_eq!(value, plain_decimal(&text, precision, scale), "{shown} {precision} {scale}");
        values += usize::from(value.is_some());
    }
    assert!(values > 50_000, "{values}");
}

#[test]
fn whole_numbers_are_what_their_characters_say() {
    let mut random = Rng::with_seed(4);
    let mut values = 0;
    for _ in 0..400_000 {
        let length_max = [3, 9, 20, 40][random.usize(..4)];
        let text = text(&mut random, length_max);
        let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(&text);
        let expected = match digits.len() <= 18 && digits.contains(&b'.') {
            true => None,
            false => plain_decimal(&text, 38, 0).and_then(|value| i64::try_from(value).ok()),
        };
        let value = int64(&text);
        assert_eq!(value, expected, "{}", String::from_utf8_lossy(&text));
        values += usize::from(value.is_some());
    }
    assert!(values > 50_000, "{values}");
    for number in [i64::MIN, i64::MAX, 0, -1] {
        assert_eq!(int64(number.to_string().as_bytes()), Some(number));
    }
    assert_eq!(int64(b"9223372036854775808"), None);
}

fn plain_part(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, byte| Some(value * 10 + char::from(*byte).to_digit(10)?))
}

fn plain_date(text: &[u8]) -> Option<i32> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = i64::from(plain_part(&text[..4])?);
    let (month, day) = (plain_part(&text[5..7])?, plain_part(&text[8..])?);
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    i32::try_from(days_of_civil(year, month, day)).ok()
}

fn plain_timestamp(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    let (day, time) = text.split_at_checked(10)?;
    let (clock, fraction) = time.split_at_checked(9)?;
    let separators = [clock[0], clock[3], clock[6]];
    if !matches!(separators, [b'T' | b' ', b':', b':']) {
        return None;
    }
    let [hour, minute, second] = [1, 4, 7].map(|at| plain_part(&clock[at..at + 2]));
    let (hour, minute, second) = (hour?, minute?, second?);
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            plain_part(digits)? * 10_u32.pow(6 - u32::try_from(digits.len()).unwrap())
        }
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds =
        i64::from(plain_date(day)?) * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Some(seconds * 1_000_000 + i64::from(micros))
}

/// Every date of some years, and texts that differ in a byte or two from a timestamp.
#[test]
fn dates_and_timestamps_are_what_their_characters_say() {
    for year in [0, 1, 4, 99, 100, 400, 1900, 1999, 2000, 2024, 9999] {
        for (month, day) in (0..14).flat_map(|month| (0..33).map(move |day| (month, day))) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            assert_eq!(date(text.as_bytes()), plain_date(text.as_bytes()), "{text}");
        }
    }
    let mut random = Rng::with_seed(5);
    let mut values = 0;
    for _ in 0..400_000 {
        let [year, month, day] = [random.u32(1890..2110), random.u32(1..13), random.u32(1..32)];
        let [hour, minute, second] = [25, 61, 61].map(|end| random.u32(..end));
        let fraction = ["", ".5", ".123456", ".1234567", "."][random.usize(..5)];
        let text =
            format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}");
        let mut text = text.into_bytes();
        for _ in 0..random.usize(..3) {
            let at = random.usize(..text.len());
            match random.u8(..4) {
                0 => text.truncate(at + 1),
                1 => text[at] = b"T:-./Z \xB1"[random.usize(..8)],
                2 => text[at] ^= 1 << random.u8(..8),
                _ => text.push(b'Z'),
            }
        }
        let shown = String::from_utf8_lossy(&text);
        let day = &text[..text.len().min(10 + usize::from(random.u8(..9) == 0))];
        assert_eq!(date(day), plain_date(day), "{shown}");
        assert_eq!(timestamp(&text), plain_timestamp(&text), "{shown}");
        values += usize::from(timestamp(&text).is_some());
    }
    assert!(values > 50_000, "{values}");
}
