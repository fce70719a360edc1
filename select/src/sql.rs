//! The text of a Select: the only file that names sqlparser.
//!
//! The grammar is a subset of PostgreSQL's SELECT. Whatever the parser understands and the
//! grammar does not have is refused by name with its line and column: every structure of the
//! parser is taken apart field by field, so that nothing can be ignored.
//!
//! Bounds: the text, its operators and the nesting are limited before anything recurses over
//! them. The parser's own limit does not cover flat chains such as `a OR b OR c …`, whose tree is
//! as deep as the chain is long.

use std::sync::Arc;

use sqlparser::ast::{self, Spanned};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use crate::syntax::{
    AggregateFunction, ArithmeticOp, CompareOp, Expr, ExprKind, Item, Name, Position, SelectSyntax,
};
use crate::{Error, ErrorKind, Result, Value};

/// Longest text of a Select, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;

/// Most operators in a text: what bounds the depth of the parser's tree.
const OPERATORS_MAX: usize = 1000;

/// Deepest nesting of a bound expression; a chain of one connective counts once.
const DEPTH_MAX: usize = 128;

/// Nesting that the parser itself goes through, parentheses included.
const PARSER_DEPTH_MAX: usize = 50;

/// Deepest nesting of calls and other parentheses behind a word. The parser tries some of them in two
/// ways, nested ones in exponential time.
const CALL_DEPTH_MAX: usize = 8;

/// Most words SELECT in a text. One is all that the grammar has, a few more are refused by the name
/// of what they stand in; each level costs the parser tens of kilobytes of stack.
const SELECTS_MAX: usize = 4;

/// A Select, as written: names and literals not yet bound to a file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Select(Arc<SelectSyntax>);

impl Select {
    /// Parses one SELECT.
    ///
    /// # Errors
    /// `Syntax`, `Unsupported`, `UnknownFunction` and `LimitExceeded`, each with line and column.
    pub fn parse(text: &str) -> Result<Self> {
        let tokens = tokenize(text)?;
        let places = Places::new(&tokens);
        let mut parser = Parser::new(&PostgreSqlDialect {})
            .with_recursion_limit(PARSER_DEPTH_MAX)
            .with_tokens_with_locations(tokens);
        let query = match parser.peek_token().token {
            Token::EOF => {
                return Err(START.error(ErrorKind::Syntax, "the text is empty; expected SELECT"));
            }
            Token::Word(word) if matches!(word.keyword, Keyword::SELECT | Keyword::WITH) => {
                parser.parse_query().map_err(|error| syntax_error(error, &places))?
            }
            Token::LParen => parser.parse_query().map_err(|error| syntax_error(error, &places))?,
            other => {
                let at = position(parser.peek_token().span.start);
                return Err(at.error(
                    ErrorKind::Unsupported,
                    format!("`{other}`: only SELECT is supported"),
                ));
            }
        };
        while parser.consume_token(&Token::SemiColon) {}
        let rest = parser.peek_token();
        if rest.token != Token::EOF {
            let message = format!("`{}` after the end of the SELECT", rest.token);
            return Err(position(rest.span.start).error(ErrorKind::Syntax, message));
        }
        lower_query(*query, &places).map(|syntax| Self(Arc::new(syntax)))
    }

    /// The file that it selects from, as written.
    pub fn from(&self) -> &str {
        &self.0.from.text
    }

    pub(crate) fn syntax(&self) -> &SelectSyntax {
        &self.0
    }
}

const START: Position = Position { line: 1, column: 1 };

fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    if text.len() > TEXT_BYTES_MAX {
        let message =
            format!("the text has {} bytes, at most {TEXT_BYTES_MAX} are accepted", text.len());
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize_with_location()
        .map_err(|e| position(e.location).error(ErrorKind::Syntax, lower_first(&e.message)))?;
    let is_select = |token: &&TokenWithSpan| {
        matches!(&token.token, Token::Word(word)
            if matches!(word.keyword, Keyword::SELECT | Keyword::VALUES | Keyword::TABLE))
    };
    if let Some(token) = tokens.iter().filter(is_select).nth(SELECTS_MAX) {
        return unsupported(position(token.span.start), "a subquery");
    }
    refuse_nested_calls(&tokens)?;
    refuse_repeated_interval(&tokens)?;
    let mut operators = tokens.iter().filter(|token| deepens(&token.token));
    match operators.nth(OPERATORS_MAX) {
        None => Ok(tokens),
        Some(token) => Err(position(token.span.start).error(
            ErrorKind::LimitExceeded,
            format!("more than {OPERATORS_MAX} operators; use IN for long lists"),
        )),
    }
}

fn refuse_nested_calls(tokens: &[TokenWithSpan]) -> Result<()> {
    // For each open bracket, whether it belongs to a call.
    let mut open = Vec::new();
    let mut calls = 0;
    let mut behind_name = false;
    for TokenWithSpan { token, span } in tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => {
                calls += usize::from(behind_name);
                open.push(behind_name);
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                calls -= usize::from(open.pop().unwrap_or(false));
            }
            _ => {}
        }
        if calls > CALL_DEPTH_MAX {
            let message = format!("calls are nested deeper than {CALL_DEPTH_MAX} levels");
            return Err(position(span.start).error(ErrorKind::LimitExceeded, message));
        }
        behind_name = match token {
            Token::Word(word) => {
                !is_operator(word.keyword)
                    && !matches!(word.keyword, Keyword::WHERE | Keyword::SELECT)
            }
            token => *token == Token::RBracket,
        };
    }
    Ok(())
}

/// Each INTERVAL directly behind another nests once more, past the parser's own limit.
fn refuse_repeated_interval(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut behind_interval = false;
    for TokenWithSpan { token, span } in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        let is_interval = matches!(token, Token::Word(word) if word.keyword == Keyword::INTERVAL);
        if is_interval && behind_interval {
            return unsupported(position(span.start), "INTERVAL");
        }
        behind_interval = is_interval;
    }
    Ok(())
}

/// Whether a token can make the parser's tree deeper.
fn deepens(token: &Token) -> bool {
    match token {
        Token::Word(word) => is_operator(word.keyword),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::RParen
        | Token::SemiColon
        | Token::EOF => false,
        _ => true,
    }
}

/// Whether a word takes the expression before it as an operand, as a chain of it would.
fn is_operator(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::NOTNULL
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::MATCH
            | Keyword::MEMBER
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::DIV
            | Keyword::OVERLAPS
            | Keyword::OPERATOR
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
            | Keyword::MINUS
    )
}

/// Where things stand that the parser does not tell.
struct Places {
    /// What follows the first FROM.
    from: Position,
    end: Position,
}

impl Places {
    fn new(tokens: &[TokenWithSpan]) -> Self {
        let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let is_from = |token: &TokenWithSpan| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::FROM);
        words.find(|token| is_from(token));
        let from = words.next().map_or(START, |token| start(token.span));
        let end = tokens.last().map_or(START, |token| position(token.span.end));
        Self { from, end }
    }
}

fn syntax_error(error: ParserError, places: &Places) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            let message = format!("nested deeper than {PARSER_DEPTH_MAX} levels");
            return places.from.error(ErrorKind::LimitExceeded, message);
        }
    };
    // The parser writes the place behind the complaint: `… at Line: 1, Column: 22`.
    let place = message.rsplit_once(" at Line: ").and_then(|(complaint, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((complaint, Position { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    // Only the end of the text has no place there.
    let (complaint, at) = place.unwrap_or((&message, places.end));
    at.error(ErrorKind::Syntax, lower_first(complaint))
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

fn position(location: Location) -> Position {
    Position { line: location.line, column: location.column }
}

fn at(node: &impl Spanned) -> Position {
    start(node.span())
}

fn start(span: Span) -> Position {
    // Some nodes of the parser know no place.
    if span.start.line == 0 { START } else { position(span.start) }
}

fn unsupported<T>(at: Position, what: impl std::fmt::Display) -> Result<T> {
    Err(at.error(ErrorKind::Unsupported, format!("{what} is not supported")))
}

/// Refuses `what` when it is there.
fn refuse(at: Position, present: impl Into<Presence>, what: &str) -> Result<()> {
    if present.into().0 { unsupported(at, what) } else { Ok(()) }
}

struct Presence(bool);

impl From<bool> for Presence {
    fn from(present: bool) -> Self {
        Self(present)
    }
}

impl<T> From<&Option<T>> for Presence {
    fn from(option: &Option<T>) -> Self {
        Self(option.is_some())
    }
}

impl<T> From<&Vec<T>> for Presence {
    fn from(list: &Vec<T>) -> Self {
        Self(!list.is_empty())
    }
}

fn lower_query(query: ast::Query, places: &Places) -> Result<SelectSyntax> {
    let here = START;
    let ast::Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    if let Some(with) = with {
        return unsupported(at(&with), "WITH");
    }
    if let Some(order_by) = order_by {
        return unsupported(at(&order_by), "ORDER BY");
    }
    if let Some(fetch) = fetch {
        return unsupported(fetch.quantity.as_ref().map_or(here, at), "FETCH FIRST; use LIMIT, it");
    }
    refuse(here, &locks, "FOR UPDATE or SHARE")?;
    refuse(here, &for_clause, "FOR")?;
    refuse(here, &settings, "SETTINGS")?;
    refuse(here, &format_clause, "FORMAT")?;
    refuse(here, &pipe_operators, "a pipe operator")?;
    let select = match *body {
        ast::SetExpr::Select(select) => *select,
        ast::SetExpr::Query(query) => return unsupported(at(&*query), "a SELECT in parentheses"),
        ast::SetExpr::SetOperation { op, right, .. } => return unsupported(at(&*right), op),
        ast::SetExpr::Values(_) => return unsupported(here, "VALUES"),
        ast::SetExpr::Table(_) => return unsupported(here, "TABLE"),
        _ => return unsupported(here, "anything but SELECT"),
    };
    let mut syntax = lower_select(select, places)?;
    (syntax.limit, syntax.offset) = match limit_clause {
        None => (None, None),
        Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) => {
            refuse(limit_by.first().map_or(here, at), &limit_by, "LIMIT BY")?;
            let offset = offset.map(|ast::Offset { value, rows: _ }| value);
            (limit.as_ref().map(lower).transpose()?, offset.as_ref().map(lower).transpose()?)
        }
        Some(ast::LimitClause::OffsetCommaLimit { offset, .. }) => {
            return unsupported(
                at(&offset),
                "LIMIT offset, count; use LIMIT count OFFSET offset, it",
            );
        }
    };
    Ok(syntax)
}

fn lower_select(select: ast::Select, places: &Places) -> Result<SelectSyntax> {
    let here = start(select.select_token.0.span);
    let ast::Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        mut from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    match distinct {
        None | Some(ast::Distinct::All) => {}
        Some(ast::Distinct::Distinct) => return unsupported(here, "DISTINCT"),
        Some(ast::Distinct::On(_)) => return unsupported(here, "DISTINCT ON"),
    }
    match &group_by {
        ast::GroupByExpr::All(_) => return unsupported(here, "GROUP BY ALL"),
        ast::GroupByExpr::Expressions(exprs, modifiers) => {
            refuse(exprs.first().map_or(here, at), exprs, "GROUP BY")?;
            refuse(here, modifiers, "GROUP BY")?;
        }
    }
    if let Some(having) = having {
        return unsupported(at(&having), "HAVING");
    }
    refuse(here, &optimizer_hints, "an optimizer hint")?;
    refuse(here, &select_modifiers, "a modifier of SELECT")?;
    refuse(here, &top, "TOP; use LIMIT, it")?;
    refuse(here, &exclude, "EXCLUDE")?;
    refuse(here, &into, "INTO")?;
    refuse(here, &lateral_views, "LATERAL VIEW")?;
    refuse(here, &prewhere, "PREWHERE")?;
    refuse(here, &connect_by, "CONNECT BY")?;
    refuse(here, &cluster_by, "CLUSTER BY")?;
    refuse(here, &distribute_by, "DISTRIBUTE BY")?;
    refuse(here, &sort_by, "SORT BY")?;
    refuse(here, &named_window, "WINDOW")?;
    refuse(here, &qualify, "QUALIFY")?;
    refuse(here, &value_table_mode, "SELECT AS")?;
    refuse(here, flavor != ast::SelectFlavor::Standard, "SELECT after FROM")?;

    if from.len() > 1 {
        return unsupported(places.from, "a second file (a join)");
    }
    let Some(table) = from.pop() else {
        return Err(here.error(ErrorKind::Unsupported, "there is no FROM; expected FROM 'file'"));
    };
    let (from, alias) = lower_table(table, places.from)?;
    let projection = projection.iter().map(lower_item).collect::<Result<Vec<_>>>()?;
    if projection.is_empty() {
        return Err(here.error(ErrorKind::Syntax, "nothing is selected; expected columns or *"));
    }
    let filter = selection.as_ref().map(lower).transpose()?;
    Ok(SelectSyntax { projection, from, alias, filter, limit: None, offset: None })
}

fn lower_table(table: ast::TableWithJoins, here: Position) -> Result<(Name, Option<Name>)> {
    if !table.joins.is_empty() {
        return unsupported(here, "a join");
    }
    let ast::TableFactor::Table {
        name,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = table.relation
    else {
        return unsupported(here, "a subquery or table function in FROM");
    };
    refuse(here, &args, "a table function in FROM")?;
    refuse(here, &with_hints, "WITH hints")?;
    refuse(here, &version, "AS OF")?;
    refuse(here, with_ordinality, "WITH ORDINALITY")?;
    refuse(here, &partitions, "PARTITION")?;
    refuse(here, &json_path, "a path behind the file")?;
    refuse(here, &sample, "TABLESAMPLE")?;
    refuse(here, &index_hints, "an index hint")?;
    let alias = match alias {
        None => None,
        Some(ast::TableAlias { explicit: _, name, columns, at: None }) if columns.is_empty() => {
            Some(lower_name(&name))
        }
        Some(alias) => {
            return unsupported(start(alias.name.span), "a column list behind the alias");
        }
    };
    let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
        let message =
            format!("{name} is not a file name; write the path in quotes: FROM 'folder/file'");
        return Err(here.error(ErrorKind::Unsupported, message));
    };
    Ok((Name { at: here, ..lower_name(ident) }, alias))
}

fn lower_name(ident: &ast::Ident) -> Name {
    let ast::Ident { value, quote_style, span } = ident;
    Name { text: value.clone(), quoted: quote_style.is_some(), at: start(*span) }
}

fn lower_item(item: &ast::SelectItem) -> Result<Item> {
    match item {
        ast::SelectItem::UnnamedExpr(expr) => Ok(Item::Expr { expr: lower(expr)?, alias: None }),
        ast::SelectItem::ExprWithAlias { expr, alias } => {
            Ok(Item::Expr { expr: lower(expr)?, alias: Some(alias.value.clone()) })
        }
        ast::SelectItem::Wildcard(options) => {
            if *options == ast::WildcardAdditionalOptions::default() {
                Ok(Item::All)
            } else {
                unsupported(at(item), "an option of *")
            }
        }
        ast::SelectItem::ExprWithAliases { .. } => unsupported(at(item), "a list of aliases"),
        ast::SelectItem::QualifiedWildcard(..) => unsupported(at(item), "a qualified *; use *, it"),
    }
}

fn lower(expr: &ast::Expr) -> Result<Expr> {
    lower_at(expr, 0)
}

/// Lowers one expression, `depth` levels below its clause.
fn lower_at(expr: &ast::Expr, depth: usize) -> Result<Expr> {
    // Spans of whole subtrees are computed by recursion: ask only nodes known to be shallow.
    if depth > DEPTH_MAX {
        let message = format!("the expression is nested deeper than {DEPTH_MAX} levels");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let sub = |expr: &ast::Expr| lower_at(expr, depth + 1);
    let boxed = |expr: &ast::Expr| sub(expr).map(Box::new);
    match expr {
        ast::Expr::Nested(inner) => sub(inner),
        ast::Expr::Identifier(ident) => {
            let name = lower_name(ident);
            Ok(Expr { at: name.at, kind: ExprKind::Column { qualifier: None, name } })
        }
        ast::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [qualifier, name] => {
                let (qualifier, name) = (Some(lower_name(qualifier)), lower_name(name));
                Ok(Expr { at: name.at, kind: ExprKind::Column { qualifier, name } })
            }
            _ => unsupported(at(expr), "a name of more than two parts"),
        },
        ast::Expr::Value(value) => lower_value(value),
        ast::Expr::TypedString(typed) => lower_typed(typed),
        ast::Expr::BinaryOp { left, op, right } => lower_binary(left, op, right, depth),
        ast::Expr::UnaryOp { op, expr: operand } => lower_unary(*op, operand, depth),
        ast::Expr::Between { expr: operand, negated, low, high } => {
            let (operand, low, high) = (boxed(operand)?, boxed(low)?, boxed(high)?);
            let at = operand.at;
            Ok(Expr { at, kind: ExprKind::Between { operand, low, high, negated: *negated } })
        }
        ast::Expr::InList { expr: operand, list, negated } => {
            let operand = boxed(operand)?;
            let list = list.iter().map(sub).collect::<Result<_>>()?;
            let at = operand.at;
            Ok(Expr { at, kind: ExprKind::InList { operand, list, negated: *negated } })
        }
        ast::Expr::Like { negated, any: false, expr: operand, pattern, escape_char } => {
            let (operand, pattern) = (boxed(operand)?, boxed(pattern)?);
            let escape = lower_escape(escape_char.as_ref())?;
            let at = operand.at;
            Ok(Expr { at, kind: ExprKind::Like { operand, pattern, escape, negated: *negated } })
        }
        ast::Expr::IsNull(operand) => lower_is_null(boxed(operand)?, false),
        ast::Expr::IsNotNull(operand) => lower_is_null(boxed(operand)?, true),
        ast::Expr::Function(function) => lower_function(function, depth),
        _ => unsupported(at(expr), name_of(expr)),
    }
}

fn lower_is_null(operand: Box<Expr>, negated: bool) -> Result<Expr> {
    Ok(Expr { at: operand.at, kind: ExprKind::IsNull { operand, negated } })
}

fn lower_binary(
    left: &ast::Expr,
    op: &ast::BinaryOperator,
    right: &ast::Expr,
    depth: usize,
) -> Result<Expr> {
    use ast::BinaryOperator as Op;
    let compare = |op| -> Result<Expr> {
        let left = Box::new(lower_at(left, depth + 1)?);
        let right = Box::new(lower_at(right, depth + 1)?);
        Ok(Expr { at: left.at, kind: ExprKind::Compare { op, left, right } })
    };
    let arithmetic = |op| -> Result<Expr> {
        let left = Box::new(lower_at(left, depth + 1)?);
        let right = Box::new(lower_at(right, depth + 1)?);
        Ok(Expr { at: left.at, kind: ExprKind::Arithmetic { op, left, right } })
    };
    match op {
        Op::And => lower_chain(left, op, right, depth, ExprKind::And),
        Op::Or => lower_chain(left, op, right, depth, ExprKind::Or),
        Op::Eq => compare(CompareOp::Equal),
        Op::NotEq => compare(CompareOp::NotEqual),
        Op::Lt => compare(CompareOp::Less),
        Op::LtEq => compare(CompareOp::LessOrEqual),
        Op::Gt => compare(CompareOp::Greater),
        Op::GtEq => compare(CompareOp::GreaterOrEqual),
        Op::Plus => arithmetic(ArithmeticOp::Add),
        Op::Minus => arithmetic(ArithmeticOp::Subtract),
        Op::Multiply => arithmetic(ArithmeticOp::Multiply),
        Op::Divide => arithmetic(ArithmeticOp::Divide),
        Op::Modulo => arithmetic(ArithmeticOp::Modulo),
        _ => unsupported(at(right), format!("the operator {op} before this")),
    }
}

/// Flattens a chain of one connective without recursing along it: the parser's tree leans left
/// and is as deep as the chain is long.
fn lower_chain(
    left: &ast::Expr,
    connective: &ast::BinaryOperator,
    right: &ast::Expr,
    depth: usize,
    kind: fn(Vec<Expr>) -> ExprKind,
) -> Result<Expr> {
    let mut terms = vec![right];
    let mut rest = left;
    while let ast::Expr::BinaryOp { left, op, right } = rest {
        if op != connective {
            break;
        }
        terms.push(right);
        rest = left;
    }
    terms.push(rest);
    let terms = terms
        .into_iter()
        .rev()
        .map(|term| lower_at(term, depth + 1))
        .collect::<Result<Vec<_>>>()?;
    let at = terms.first().map_or(START, |term| term.at);
    Ok(Expr { at, kind: kind(terms) })
}

fn lower_unary(op: ast::UnaryOperator, operand: &ast::Expr, depth: usize) -> Result<Expr> {
    use ast::UnaryOperator as Op;
    if !matches!(op, Op::Plus | Op::Minus | Op::Not) {
        return unsupported(at(operand), format!("the operator {op} before this"));
    }
    let operand = lower_at(operand, depth + 1)?;
    let at = operand.at;
    let kind = match (op, operand.kind) {
        (Op::Plus, kind) => kind,
        (Op::Minus, ExprKind::Literal(value)) if value.is_number() => {
            ExprKind::Literal(value.negated())
        }
        (Op::Minus, kind) => ExprKind::Negate(Box::new(Expr { at, kind })),
        (_, kind) => ExprKind::Not(Box::new(Expr { at, kind })),
    };
    Ok(Expr { at, kind })
}

fn lower_value(value: &ast::ValueWithSpan) -> Result<Expr> {
    let at = start(value.span);
    let kind = match &value.value {
        ast::Value::Number(digits, false) => {
            let number = Value::number(digits).ok_or_else(|| {
                let message = format!("`{digits}` is not a number of at most 38 digits");
                at.error(ErrorKind::TypeMismatch, message)
            })?;
            ExprKind::Literal(number)
        }
        ast::Value::SingleQuotedString(text) => ExprKind::Literal(Value::Text(text.clone())),
        ast::Value::Boolean(value) => ExprKind::Literal(Value::Boolean(*value)),
        ast::Value::Null => ExprKind::Literal(Value::Null),
        ast::Value::Placeholder(name) => ExprKind::Parameter(lower_placeholder(at, name)?),
        other => return unsupported(at, format!("the literal {other}")),
    };
    Ok(Expr { at, kind })
}

fn lower_placeholder(at: Position, name: &str) -> Result<usize> {
    let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| {
        let message = format!("`{name}` is not a parameter; expected $1, $2, …");
        at.error(ErrorKind::Syntax, message)
    })
}

fn lower_typed(typed: &ast::TypedString) -> Result<Expr> {
    let ast::TypedString { data_type, value, uses_odbc_syntax } = typed;
    let at = start(value.span);
    refuse(at, *uses_odbc_syntax, "the ODBC form of a literal")?;
    let ast::Value::SingleQuotedString(text) = &value.value else {
        return unsupported(at, "this form of a literal");
    };
    let value = match data_type {
        ast::DataType::Date => Value::date(text),
        ast::DataType::Timestamp(None, ast::TimezoneInfo::None) => Value::timestamp(text),
        _ => return unsupported(at, format!("a literal of type {data_type}")),
    };
    match value {
        Some(value) => Ok(Expr { at, kind: ExprKind::Literal(value) }),
        None => {
            let expected = match data_type {
                ast::DataType::Date => "YYYY-MM-DD",
                _ => "YYYY-MM-DD HH:MM:SS",
            };
            let message = format!("'{text}' is not a {data_type}; expected {expected}");
            Err(at.error(ErrorKind::TypeMismatch, message))
        }
    }
}

fn lower_escape(escape: Option<&ast::ValueWithSpan>) -> Result<Option<char>> {
    let Some(escape) = escape else { return Ok(Some('\\')) };
    let text = match &escape.value {
        ast::Value::SingleQuotedString(text) => text,
        other => return unsupported(start(escape.span), format!("ESCAPE {other}")),
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (first, None) => Ok(first),
        _ => {
            let message = format!("ESCAPE '{text}': expected one character or none");
            Err(start(escape.span).error(ErrorKind::Syntax, message))
        }
    }
}

fn lower_function(function: &ast::Function, depth: usize) -> Result<Expr> {
    let ast::Function {
        name,
        uses_odbc_syntax,
        parameters,
        args,
        filter,
        null_treatment,
        over,
        within_group,
    } = function;
    let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
        return unsupported(at(name), format!("the function {name}"));
    };
    let here = start(ident.span);
    let function = match ident.value.to_ascii_lowercase().as_str() {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        "avg" => AggregateFunction::Avg,
        _ => {
            let message = format!(
                "unknown function `{}`; there are count, sum, min, max and avg",
                ident.value
            );
            return Err(here.error(ErrorKind::UnknownFunction, message));
        }
    };
    refuse(here, *uses_odbc_syntax, "the ODBC form of a call")?;
    refuse(here, !matches!(parameters, ast::FunctionArguments::None), "a parametric function")?;
    refuse(here, filter, &format!("FILTER behind {function}"))?;
    refuse(here, null_treatment, "IGNORE or RESPECT NULLS")?;
    refuse(here, over, "OVER (a window)")?;
    refuse(here, within_group, "WITHIN GROUP")?;
    let ast::FunctionArguments::List(list) = args else {
        return unsupported(here, format!("{function} without a list of arguments"));
    };
    let ast::FunctionArgumentList { duplicate_treatment, args, clauses } = list;
    let distinct = matches!(duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
    refuse(here, distinct, &format!("DISTINCT inside {function}"))?;
    refuse(here, clauses, &format!("a clause inside {function}"))?;
    let argument = match args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)]
            if function == AggregateFunction::Count =>
        {
            None
        }
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument))] => {
            Some(Box::new(lower_at(argument, depth + 1)?))
        }
        _ => {
            let message = format!("{function} takes one expression");
            return Err(here.error(ErrorKind::TypeMismatch, message));
        }
    };
    Ok(Expr { at: here, kind: ExprKind::Aggregate { function, argument } })
}

/// What a refused expression is called.
fn name_of(expr: &ast::Expr) -> &'static str {
    match expr {
        ast::Expr::Cast { .. } | ast::Expr::Convert { .. } => "CAST",
        ast::Expr::Case { .. } => "CASE",
        ast::Expr::ILike { .. } => "ILIKE",
        ast::Expr::Like { .. } => "LIKE ANY",
        ast::Expr::SimilarTo { .. } => "SIMILAR TO",
        ast::Expr::RLike { .. } => "RLIKE",
        ast::Expr::IsTrue(_)
        | ast::Expr::IsNotTrue(_)
        | ast::Expr::IsFalse(_)
        | ast::Expr::IsNotFalse(_)
        | ast::Expr::IsUnknown(_)
        | ast::Expr::IsNotUnknown(_) => "IS TRUE, FALSE or UNKNOWN",
        ast::Expr::IsDistinctFrom(..) | ast::Expr::IsNotDistinctFrom(..) => "IS DISTINCT FROM",
        ast::Expr::InSubquery { .. } | ast::Expr::Exists { .. } | ast::Expr::Subquery(_) => {
            "a subquery"
        }
        ast::Expr::AnyOp { .. } => "ANY",
        ast::Expr::AllOp { .. } => "ALL",
        ast::Expr::Extract { .. } => "EXTRACT",
        ast::Expr::Ceil { .. } => "ceil",
        ast::Expr::Floor { .. } => "floor",
        ast::Expr::Position { .. } => "position",
        ast::Expr::Substring { .. } => "substring",
        ast::Expr::Trim { .. } => "trim",
        ast::Expr::Overlay { .. } => "overlay",
        ast::Expr::Collate { .. } => "COLLATE",
        ast::Expr::AtTimeZone { .. } => "AT TIME ZONE",
        ast::Expr::Interval(_) => "INTERVAL",
        ast::Expr::Tuple(_) => "a row of several values",
        ast::Expr::Array(_) => "ARRAY",
        _ => "this expression",
    }
}

#[cfg(test)]
mod tests;
