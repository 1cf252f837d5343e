//! Puts all mutants of a file into its source, each behind a question which of them is on: one build has them all.

use crate::mutant::{Kind, Mutant};
use proc_macro2::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// What the question is asked of; becomes `src/mutant.rs`.
pub const SWITCH: &str = r#"//! Which mutant is on: the number in `MUTANT`. With `MUTANTS_SEEN` the places that are reached go to that file.
#![allow(missing_docs, clippy::all)]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static ON: OnceLock<u32> = OnceLock::new();
static SEEN: [AtomicBool; 8192] = [const { AtomicBool::new(false) }; 8192];

pub fn at(place: usize) -> u32 {
    let on = *ON.get_or_init(|| match std::env::var("MUTANT") {
        Ok(number) => number.parse().unwrap(),
        Err(_) => if std::env::var_os("MUTANTS_SEEN").is_some() { u32::MAX } else { 0 },
    });
    if on == u32::MAX && !SEEN[place].swap(true, Ordering::Relaxed) {
        use std::io::Write as _;
        let path = std::env::var_os("MUTANTS_SEEN").unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{place}\n").as_bytes()).unwrap();
    }
    on
}
"#;

/// A file with its mutants.
pub struct Woven {
    pub text: String,
    /// Where in `text` each mutant is.
    pub places: Vec<(Range<usize>, u32)>,
    /// Every mutant that is in it, with the first one of its place.
    pub sites: BTreeMap<u32, u32>,
}

/// `constant` names functions that must stay `const`, and so have no mutants.
pub fn weave(source: &str, mutants: &[&Mutant], constant: &BTreeSet<String>) -> Woven {
    let mut finder = Finder { source, constant, by_place: BTreeMap::new(), edits: Vec::new(), sites: BTreeMap::new() };
    for mutant in mutants {
        let Range { start, end } = mutant.bytes(source);
        finder.by_place.entry((mutant.kind as u8, start)).or_default().push((end, *mutant));
    }
    finder.visit_file(&syn::parse_file(source).expect("source that compiles"));
    let (text, places) = apply(source, finder.edits);
    Woven { text, places, sites: finder.sites }
}

/// Text that goes in front of a node or behind it.
struct Edit {
    node: Range<usize>,
    is_close: bool,
    /// Of two edits at one place the outer node was visited first.
    order: usize,
    pieces: Vec<(Option<u32>, String)>,
}

fn apply(source: &str, mut edits: Vec<Edit>) -> (String, Vec<(Range<usize>, u32)>) {
    let at = |edit: &Edit| if edit.is_close { edit.node.end } else { edit.node.start };
    edits.sort_by_key(|edit| {
        (at(edit), !edit.is_close, if edit.is_close { usize::MAX - edit.order } else { edit.order })
    });
    let (mut text, mut places, mut done) = (String::new(), Vec::new(), 0);
    for edit in edits {
        text.push_str(&source[done..at(&edit)]);
        done = at(&edit);
        for (mutant, piece) in edit.pieces {
            let start = text.len();
            text.push_str(&piece);
            places.extend(mutant.map(|number| (start..text.len(), number)));
        }
    }
    text.push_str(&source[done..]);
    (text, places)
}

struct Finder<'a> {
    source: &'a str,
    constant: &'a BTreeSet<String>,
    /// By kind and first byte, with the byte after the last.
    by_place: BTreeMap<(u8, usize), Vec<(usize, &'a Mutant)>>,
    edits: Vec<Edit>,
    sites: BTreeMap<u32, u32>,
}

impl<'a> Finder<'a> {
    fn at(&self, kind: Kind, span: Span) -> Vec<&'a Mutant> {
        let found = self.by_place.get(&(kind as u8, span.byte_range().start));
        found.into_iter().flatten().map(|(_, mutant)| *mutant).collect()
    }

    fn edit(&mut self, node: Range<usize>, is_close: bool, pieces: Vec<(Option<u32>, String)>) {
        let mutants = || pieces.iter().filter_map(|(mutant, _)| *mutant);
        self.sites.extend(mutants().zip(mutants().next().into_iter().cycle()));
        let order = self.edits.len();
        self.edits.push(Edit { node, is_close, order, pieces });
    }

    /// Makes of an expression a choice between it and what the mutants make of it, whose types it decides.
    fn choose(&mut self, node: Range<usize>, mutants: &[&Mutant], becomes: impl Fn(&Mutant) -> String) {
        let Some(first) = mutants.first() else { return };
        let numbers = mutants.iter().map(|mutant| mutant.number.to_string()).collect::<Vec<_>>().join(" | ");
        let open = format!("(match crate::mutant::at({}) {{ on_ if !matches!(on_, {numbers}) => ", first.number);
        self.edit(node.clone(), false, vec![(None, open)]);
        let mut close = Vec::new();
        for mutant in mutants {
            close.push((None, format!(", {} => ", mutant.number)));
            close.push((Some(mutant.number), becomes(mutant)));
        }
        close.push((None, ", _ => unreachable!() })".to_owned()));
        self.edit(node, true, close);
    }

    fn text(&self, span: Span) -> &'a str {
        &self.source[span.byte_range()]
    }

    /// A function whose body may become a value; true when what is in it can be changed.
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) -> bool {
        let stays = self.constant.contains(&signature.ident.to_string());
        if let (Some(constant), false) = (&signature.constness, stays) {
            let token = constant.span.byte_range();
            // `const` cannot ask; where it has to be, the compiler says so.
            self.edit(token.clone(), false, vec![(None, "/* ".to_owned())]);
            self.edit(token, true, vec![(None, " */".to_owned())]);
        }
        if stays {
            return false;
        }
        let is_opaque =
            matches!(&signature.output, syn::ReturnType::Type(_, ty) if self.text(ty.span()).contains("impl "));
        let inside = block.brace_token.span.open().byte_range().end..block.brace_token.span.close().byte_range().start;
        let mutants: Vec<_> = self
            .by_place
            .range((Kind::Body as u8, inside.start)..(Kind::Body as u8, inside.end))
            .flat_map(|(_, found)| found)
            .filter(|(end, _)| self.source[*end..inside.end].trim().is_empty())
            .map(|(_, mutant)| *mutant)
            .filter(|mutant| !self.sites.contains_key(&mutant.number))
            .collect();
        if let (Some(first), false) = (mutants.first(), is_opaque) {
            let mut pieces = vec![(None, format!(" match crate::mutant::at({}) {{ ", first.number))];
            for mutant in &mutants {
                pieces.push((Some(mutant.number), format!("{} => return {}, ", mutant.number, mutant.replacement)));
            }
            pieces.push((None, "_ => {} } ".to_owned()));
            self.edit(inside.start..inside.start, false, pieces);
        }
        true
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if self.function(&item.sig, &item.block) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if self.function(&item.sig, &item.block) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        let Some(block) = &item.default else { return };
        if self.function(&item.sig, block) {
            visit::visit_trait_item_fn(self, item);
        }
    }

    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}

    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}

    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}

    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}

    fn visit_expr_repeat(&mut self, node: &'ast syn::ExprRepeat) {
        self.visit_expr(&node.expr);
    }

    fn visit_type(&mut self, _: &'ast syn::Type) {}

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let is_test = item.attrs.iter().any(|attr| self.text(attr.span()).contains("test"));
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        let (left, right) = (self.text(node.left.span()), self.text(node.right.span()));
        let mutants = self.at(Kind::Binary, node.op.span());
        // A chain of `let` is no expression, and only `&&` joins it.
        if !(has_let(&node.left) || has_let(&node.right)) {
            self.choose(node.span().byte_range(), &mutants, |mutant| {
                format!("{{ ({left}) {} ({right}) }}", mutant.replacement)
            });
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        let inner = self.text(node.expr.span());
        let mutants = self.at(Kind::Unary, node.op.span());
        self.choose(node.span().byte_range(), &mutants, |_| format!("({inner})"));
        visit::visit_expr_unary(self, node);
    }

    fn visit_expr_struct(&mut self, node: &'ast syn::ExprStruct) {
        let whole = node.span().byte_range();
        let mut becomes = BTreeMap::new();
        for pair in node.fields.pairs() {
            let field = pair.value().span().byte_range();
            let end = pair.punct().map_or(field.end, |comma| comma.span().byte_range().end);
            for mutant in self.at(Kind::Field, pair.value().span()) {
                let without = format!("{}{}", &self.source[whole.start..field.start], &self.source[end..whole.end]);
                becomes.insert(mutant.number, (mutant, without));
            }
        }
        let mutants: Vec<&Mutant> = becomes.values().map(|(mutant, _)| *mutant).collect();
        self.choose(whole, &mutants, |mutant| becomes[&mutant.number].1.clone());
        visit::visit_expr_struct(self, node);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let deleted = self.at(Kind::Arm, arm.span());
        if let Some(mutant) = deleted.first() {
            let question = format!("crate::mutant::at({0}) != {0}", mutant.number);
            match &arm.guard {
                Some((_, guard)) => {
                    let guard = guard.span().byte_range();
                    self.edit(
                        guard.clone(),
                        false,
                        vec![(Some(mutant.number), format!("({question}) && (")), (None, String::new())],
                    );
                    self.edit(guard, true, vec![(None, ")".to_owned())]);
                }
                None => {
                    let pattern = arm.pat.span().byte_range();
                    self.edit(pattern, true, vec![(Some(mutant.number), format!(" if {question}"))]);
                }
            }
        }
        if let Some((_, guard)) = &arm.guard {
            let mutants = self.at(Kind::Guard, guard.span());
            self.choose(guard.span().byte_range(), &mutants, |mutant| mutant.replacement.clone());
        }
        visit::visit_arm(self, arm);
    }
}

fn has_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}
