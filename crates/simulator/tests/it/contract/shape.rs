//! The shape of an answer: sorted field names and JSON types, on one line. A list is the union of its elements; a field
//! that only some of them have ends in `?`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[derive(Default)]
struct Shape {
    leaves: BTreeSet<&'static str>,
    fields: Option<BTreeMap<String, (Shape, usize)>>,
    objects: usize,
    items: Option<Box<Shape>>,
}

impl Shape {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Null => drop(self.leaves.insert("null")),
            Value::Bool(_) => drop(self.leaves.insert("bool")),
            Value::Number(number) => drop(self.leaves.insert(if number.is_f64() { "number" } else { "int" })),
            Value::String(_) => drop(self.leaves.insert("string")),
            Value::Array(items) => {
                let shape = self.items.get_or_insert_default();
                for item in items {
                    shape.add(item);
                }
            }
            Value::Object(object) => {
                self.objects += 1;
                let fields = self.fields.get_or_insert_default();
                for (name, value) in object {
                    let (shape, count) = fields.entry(named(name)).or_default();
                    shape.add(value);
                    *count += 1;
                }
            }
        }
    }

    fn write(&self) -> String {
        let mut parts: Vec<String> = self.leaves.iter().map(ToString::to_string).collect();
        if let Some(fields) = &self.fields {
            let fields = fields.iter().map(|(name, (shape, count))| {
                let mark = if *count < self.objects { "?" } else { "" };
                format!("{name}{mark}:{}", shape.write())
            });
            parts.push(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")));
        }
        if let Some(items) = &self.items {
            parts.push(format!("[{}]", items.write()));
        }
        parts.join("|")
    }
}

/// Keys that are ids count as one field.
fn named(name: &str) -> String {
    if name.len() > 6 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        "<id>".to_owned()
    } else {
        name.to_owned()
    }
}

pub(super) fn of(value: &Value) -> String {
    let mut shape = Shape::default();
    shape.add(value);
    shape.write()
}

#[test]
fn a_shape_lists_fields_and_types_and_marks_optional_ones() {
    let value = serde_json::json!({ "b": [{ "x": 1 }, { "x": null, "y": 1.5 }], "a": [] });
    assert_eq!(of(&value), "{a:[],b:[{x:int|null,y?:number}]}");
}
