//! Whether a query fits the schema and MLflow's limits: before anything is looked up.

use super::schema::{Root, Type, find, root};
use graphql_parser::query::{self, Definition, OperationDefinition, TypeCondition};
use std::collections::{BTreeMap, HashMap};

/// MLflow's limits: fields within fields, fields and spreads in all, fields at the root, and aliases of one object.
const MAX_DEPTH: usize = 10;
const MAX_SELECTIONS: usize = 1000;
const MAX_ROOT_FIELDS: usize = 10;
const MAX_ALIASES: usize = 10;

// The parser's types, borrowing from the text of the query.
pub(super) type Document<'a> = query::Document<'a, &'a str>;
pub(super) type Field<'a> = query::Field<'a, &'a str>;
pub(super) type SelectionSet<'a> = query::SelectionSet<'a, &'a str>;
pub(super) type Literal<'a> = query::Value<'a, &'a str>;
type Selection<'a> = query::Selection<'a, &'a str>;
type Directive<'a> = query::Directive<'a, &'a str>;

pub(super) type Fragments<'a> = HashMap<&'a str, &'a query::FragmentDefinition<'a, &'a str>>;

/// An operation of a document: what is selected, and whether it is called a mutation.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) set: &'a SelectionSet<'a>,
    pub(super) is_mutation: bool,
}

/// The operation that is meant, and the fragments that it may use.
pub(super) fn operation<'a>(
    document: &'a Document<'a>,
    name: Option<&str>,
) -> Result<(Operation<'a>, Fragments<'a>), String> {
    let (mut all, mut fragments) = (Vec::new(), Fragments::new());
    for definition in &document.definitions {
        let (known, directives, set, is_mutation) = match definition {
            Definition::Fragment(fragment) => {
                fragments.insert(fragment.name, fragment);
                continue;
            }
            Definition::Operation(OperationDefinition::SelectionSet(set)) => (None, &[][..], set, false),
            Definition::Operation(OperationDefinition::Query(query)) => {
                (query.name, &query.directives[..], &query.selection_set, false)
            }
            Definition::Operation(OperationDefinition::Mutation(mutation)) => {
                (mutation.name, &mutation.directives[..], &mutation.selection_set, true)
            }
            Definition::Operation(OperationDefinition::Subscription(_)) => {
                return Err("Schema is not configured to execute subscription operation.".to_owned());
            }
        };
        if let Some(unknown) = directives.iter().find(|directive| directive.name != "component") {
            return Err(unknown_directive(unknown));
        }
        all.push((known, Operation { set, is_mutation }));
    }
    let found = match name {
        Some(name) => all
            .iter()
            .find(|(known, _)| *known == Some(name))
            .ok_or_else(|| format!("Unknown operation named '{name}'."))?,
        None => match &all[..] {
            [only] => only,
            [] => return Err("Must provide an operation.".to_owned()),
            _ => return Err("Must provide operation name if query contains multiple operations.".to_owned()),
        },
    };
    Ok((found.1, fragments))
}

fn unknown_directive(directive: &Directive<'_>) -> String {
    format!("Unknown directive '@{}'.", directive.name)
}

/// The fields of an object that are asked for, fragments unfolded: each with the name that it gets.
pub(super) fn fields_of<'a>(set: &'a SelectionSet<'a>, fragments: &Fragments<'a>) -> Vec<&'a Field<'a>> {
    let mut fields = Vec::new();
    let mut rest: Vec<&Selection<'a>> = set.items.iter().rev().collect();
    while let Some(selection) = rest.pop() {
        match selection {
            Selection::Field(field) => fields.push(field),
            Selection::InlineFragment(inline) => rest.extend(inline.selection_set.items.iter().rev()),
            Selection::FragmentSpread(spread) => {
                let fragment = fragments.get(spread.fragment_name);
                rest.extend(fragment.iter().flat_map(|fragment| fragment.selection_set.items.iter().rev()));
            }
        }
    }
    fields
}

/// Checks an operation.
///
/// # Errors
/// What does not fit, in words.
pub(super) fn check<'a>(operation: Operation<'a>, fragments: &Fragments<'a>) -> Result<(), String> {
    let mut check = Check { fragments, left: MAX_SELECTIONS };
    let name = if operation.is_mutation { "Mutation" } else { "Query" };
    let mut fields = Vec::new();
    check.unfold(operation.set, name, &mut Vec::new(), &mut fields)?;
    if fields.len() > MAX_ROOT_FIELDS {
        return Err(too_many("root fields", MAX_ROOT_FIELDS, fields.len()));
    }
    check_names(&fields)?;
    for field in fields {
        if field.name == "__typename" {
            continue;
        }
        let Some(root) = root(field.name, operation.is_mutation) else {
            return Err(no_field(field.name, name));
        };
        check_arguments(field, root)?;
        check.object(field, find(root.answer), 2)?;
    }
    Ok(())
}

fn too_many(what: &str, most: usize, given: usize) -> String {
    format!("GraphQL queries should have at most {most} {what}, got {given} {what}.")
}

fn no_field(field: &str, of: &str) -> String {
    format!("Cannot query field '{field}' on type '{of}'.")
}

fn check_arguments(field: &Field<'_>, root: &Root) -> Result<(), String> {
    match field.arguments.iter().find(|(name, _)| *name != "input") {
        Some((name, _)) => Err(format!("Unknown argument '{name}' on field '{}'.", field.name)),
        None if field.arguments.is_empty() => Err(format!("'{}' needs an argument 'input'.", root.field)),
        None => Ok(()),
    }
}

/// Of one object, each name stands for one field with one list of arguments.
fn check_names<'a>(fields: &[&'a Field<'a>]) -> Result<(), String> {
    let mut known: BTreeMap<&str, &Field<'a>> = BTreeMap::new();
    for field in fields {
        let name = field.alias.unwrap_or(field.name);
        let other = known.entry(name).or_insert(field);
        if other.name != field.name || other.arguments != field.arguments {
            return Err(format!("Fields '{name}' conflict: use different aliases on the fields to fetch both."));
        }
    }
    let aliases = fields.iter().filter(|field| field.alias.is_some()).count();
    if aliases > MAX_ALIASES { Err(too_many("aliases", MAX_ALIASES, aliases)) } else { Ok(()) }
}

struct Check<'f, 'a> {
    fragments: &'f Fragments<'a>,
    /// Selections that may still come.
    left: usize,
}

impl<'a> Check<'_, 'a> {
    /// Collects the fields of an object. `within`: the fragments that are being unfolded.
    fn unfold(
        &mut self,
        set: &'a SelectionSet<'a>,
        of: &str,
        within: &mut Vec<&'a str>,
        fields: &mut Vec<&'a Field<'a>>,
    ) -> Result<(), String> {
        for selection in &set.items {
            self.left = self
                .left
                .checked_sub(1)
                .ok_or_else(|| format!("Query exceeds maximum total selections of {MAX_SELECTIONS}"))?;
            let directives = match selection {
                Selection::Field(field) => &field.directives,
                Selection::InlineFragment(inline) => &inline.directives,
                Selection::FragmentSpread(spread) => &spread.directives,
            };
            if let Some(directive) = directives.first() {
                return Err(unknown_directive(directive));
            }
            match selection {
                Selection::Field(field) => fields.push(field),
                Selection::InlineFragment(inline) => {
                    let on = inline.type_condition.as_ref().map_or(of, |TypeCondition::On(name)| name);
                    check_condition(on, of)?;
                    self.unfold(&inline.selection_set, of, within, fields)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name;
                    let Some(fragment) = self.fragments.get(name) else {
                        return Err(format!("Unknown fragment '{name}'."));
                    };
                    if within.contains(&name) {
                        return Err(format!("Cannot spread fragment '{name}' within itself."));
                    }
                    let TypeCondition::On(on) = fragment.type_condition;
                    check_condition(on, of)?;
                    within.push(name);
                    self.unfold(&fragment.selection_set, of, within, fields)?;
                    within.pop();
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, field: &'a Field<'a>, of: Option<&'static Type>, depth: usize) -> Result<(), String> {
        let has_set = !field.selection_set.items.is_empty();
        let Some(of) = of else {
            let problem = format!("Field '{}' must not have a selection since it has no subfields.", field.name);
            return if has_set { Err(problem) } else { Ok(()) };
        };
        if !has_set {
            return Err(format!("Field '{}' of type '{}' must have a selection of subfields.", field.name, of.name));
        }
        if depth > MAX_DEPTH {
            return Err(format!("Query exceeds maximum depth of {MAX_DEPTH}"));
        }
        let mut fields = Vec::new();
        self.unfold(&field.selection_set, of.name, &mut Vec::new(), &mut fields)?;
        check_names(&fields)?;
        for field in fields {
            if field.name == "__typename" {
                continue;
            }
            let kind = of.field(field.name).ok_or_else(|| no_field(field.name, of.name))?;
            if let Some((name, _)) = field.arguments.first() {
                return Err(format!("Unknown argument '{name}' on field '{}.{}'.", of.name, field.name));
            }
            self.object(field, kind.object(), depth + 1)?;
        }
        Ok(())
    }
}

fn check_condition(on: &str, of: &str) -> Result<(), String> {
    if on == of {
        Ok(())
    } else {
        Err(format!("Fragment on '{on}' cannot be spread here: objects are of type '{of}'."))
    }
}
