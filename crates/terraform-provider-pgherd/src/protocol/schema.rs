//! What a configuration may say, described once: sent to Terraform, and read to know the type of what comes back.

use super::ty::Type;
use super::value::Value;
use super::wire;

/// The shape of a provider's, a resource's, a data source's or an ephemeral resource's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// What it is, one sentence.
    pub description: String,
    /// What may be written.
    pub attributes: Vec<Attribute>,
    /// Blocks of which there may be one each.
    pub blocks: Vec<Block>,
}

/// A block inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its name.
    pub name: String,
    /// What it is, one sentence.
    pub description: String,
    /// What may be written in it.
    pub attributes: Vec<Attribute>,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What it is, one sentence.
    pub description: String,
    /// Its type.
    pub shape: Shape,
    /// Who gives it a value.
    pub given: Given,
    /// Whether it is hidden.
    pub sensitive: bool,
    /// Whether it reaches neither plan nor state.
    pub write_only: bool,
}

/// The type of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A type by itself: of an object every attribute must be written.
    Plain(Type),
    /// An object with attributes of its own, each of which may be left out.
    One(Vec<Attribute>),
    /// A list of such.
    Many(Vec<Attribute>),
}

/// Who gives an attribute its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Whoever writes the configuration must.
    Required,
    /// Whoever writes the configuration may.
    Optional,
    /// The provider does.
    Computed,
    /// Whoever writes the configuration may; where nobody does, the provider may keep what it was.
    Either,
}

impl Attribute {
    /// One that may be written.
    pub fn optional(name: impl Into<String>, shape: Shape, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            shape,
            given: Given::Optional,
            sensitive: false,
            write_only: false,
        }
    }

    /// One that the provider tells.
    pub fn computed(name: impl Into<String>, ty: Type, description: impl Into<String>) -> Self {
        Self { given: Given::Computed, ..Self::optional(name, Shape::Plain(ty), description) }
    }

    fn to_wire(&self) -> wire::Attribute {
        let (ty, nested) = match &self.shape {
            Shape::Plain(ty) => (ty.to_bytes(), None),
            Shape::One(attributes) => (Vec::new(), Some(nested(attributes, wire::Nesting::Single))),
            Shape::Many(attributes) => (Vec::new(), Some(nested(attributes, wire::Nesting::List))),
        };
        wire::Attribute {
            name: self.name.clone(),
            ty,
            description: self.description.clone(),
            required: self.given == Given::Required,
            optional: matches!(self.given, Given::Optional | Given::Either),
            computed: matches!(self.given, Given::Computed | Given::Either),
            sensitive: self.sensitive,
            nested,
            write_only: self.write_only,
        }
    }

    fn ty(&self) -> Type {
        match &self.shape {
            Shape::Plain(ty) => ty.clone(),
            Shape::One(attributes) => object(attributes),
            Shape::Many(attributes) => Type::list(object(attributes)),
        }
    }
}

fn nested(attributes: &[Attribute], nesting: wire::Nesting) -> wire::Object {
    wire::Object { attributes: attributes.iter().map(Attribute::to_wire).collect(), nesting: nesting.into() }
}

fn object(attributes: &[Attribute]) -> Type {
    Type::Object(attributes.iter().map(|attribute| (attribute.name.clone(), attribute.ty())).collect())
}

impl Schema {
    /// The type of a whole configuration or state.
    pub fn ty(&self) -> Type {
        let attributes = self.attributes.iter().map(|attribute| (attribute.name.clone(), attribute.ty()));
        let blocks = self.blocks.iter().map(|block| (block.name.clone(), object(&block.attributes)));
        Type::Object(attributes.chain(blocks).collect())
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The same value without what reaches neither plan nor state.
    #[must_use]
    pub fn without_write_only(&self, mut value: Value) -> Value {
        for attribute in self.attributes.iter().filter(|attribute| attribute.write_only) {
            if !value.get(&attribute.name).is_null() {
                value.set(&attribute.name, Value::Null);
            }
        }
        value
    }

    /// As it is sent.
    pub fn to_wire(&self) -> wire::Schema {
        let block = |block: &Block| wire::NestedBlock {
            name: block.name.clone(),
            block: Some(wire::Block {
                attributes: block.attributes.iter().map(Attribute::to_wire).collect(),
                blocks: Vec::new(),
                description: block.description.clone(),
            }),
            nesting: wire::Nesting::Single.into(),
        };
        wire::Schema {
            version: 0,
            block: Some(wire::Block {
                attributes: self.attributes.iter().map(Attribute::to_wire).collect(),
                blocks: self.blocks.iter().map(block).collect(),
                description: self.description.clone(),
            }),
        }
    }
}

/// A function.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// What it gives, a few words.
    pub summary: String,
    /// What it is for.
    pub description: String,
    /// Its parameters. All of them may be null, or not known.
    pub parameters: Vec<(String, Type, String)>,
    /// The type of what it gives.
    pub returns: Type,
}

impl Signature {
    /// As it is sent.
    pub fn to_wire(&self) -> wire::Function {
        let parameter = |(name, ty, description): &(String, Type, String)| wire::Parameter {
            name: name.clone(),
            ty: ty.to_bytes(),
            allow_null: true,
            allow_unknown: true,
            description: description.clone(),
        };
        wire::Function {
            parameters: self.parameters.iter().map(parameter).collect(),
            returns: Some(wire::Return { ty: self.returns.to_bytes() }),
            summary: self.summary.clone(),
            description: self.description.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let text = |name: &str| Attribute::optional(name, Shape::Plain(Type::Text), "");
        Schema {
            description: String::new(),
            attributes: vec![
                text("name"),
                Attribute { write_only: true, sensitive: true, ..text("password") },
                Attribute::optional("rules", Shape::Many(vec![text("kind")]), ""),
                Attribute::computed("id", Type::Text, ""),
            ],
            blocks: vec![Block {
                name: "timeouts".to_owned(),
                description: String::new(),
                attributes: vec![text("create")],
            }],
        }
    }

    /// Terraform refuses a schema whose attribute has a type and a nested one.
    #[test]
    fn an_attribute_has_a_type_or_a_nested_one() {
        let block = schema().to_wire().block.expect("a block");
        let both: Vec<_> = block.attributes.iter().map(|one| (one.ty.is_empty(), one.nested.is_some())).collect();
        assert_eq!(both, [(false, false), (false, false), (true, true), (false, false)]);
    }

    #[test]
    fn the_type_of_a_state_is_that_of_its_attributes_and_blocks() {
        let expected = r#"["object",{"id":"string","name":"string","password":"string","rules":["list",["object",{"kind":"string"}]],"timeouts":["object",{"create":"string"}]}]"#;
        assert_eq!(schema().ty().to_json().to_string(), expected);
    }

    #[test]
    fn what_is_write_only_is_taken_out() {
        let value = Value::object([("name", Value::text("a")), ("password", Value::text("b"))]);
        let left = Value::object([("name", Value::text("a")), ("password", Value::Null)]);
        assert!(schema().without_write_only(value) == left);
    }
}
