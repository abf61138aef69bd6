use serde::Serialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Square {
    side: u8,
}

#[derive(Debug, PartialEq)]
enum Shape {
    Square(Square),
}

crate::tagged!(Shape, "a shape", { "square" => Square(Square) });

#[test]
fn reads_the_type_wherever_it_stands() {
    for text in [r#"{"type":"square","side":2}"#, r#"{"side":2,"type":"square"}"#] {
        let shape: Shape = serde_json::from_str(text).unwrap();
        assert_eq!(shape, Shape::Square(Square { side: 2 }));
    }
}

#[test]
fn refuses_unknown_types_and_keys_and_tables_without_a_type() {
    for (text, why) in [
        (r#"{"type":"circle"}"#, "unknown variant `circle`"),
        (r#"{"type":"square","side":2,"x":1}"#, "unknown field `x`"),
        (r#"{"x":1,"type":"square","side":2}"#, "unknown field `x`"),
        (r#"{"side":2}"#, "missing field `type`"),
        ("3", "expected a shape"),
    ] {
        let error = serde_json::from_str::<Shape>(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

trait FigureKind {
    fn area(&self) -> u8;
    fn grow(&mut self);
}

crate::tagged! {
    /// A figure.
    #[derive(Debug, PartialEq, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    enum Figure as dyn FigureKind, "a figure" {
        "boxed-square" => BoxedSquare(Box<Area>),
        "dot" => Dot(Dot) without (colour, width),
        "plain" => Plain(Area),
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Area {
    side: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Dot {}

impl FigureKind for Area {
    fn area(&self) -> u8 {
        self.side * self.side
    }

    fn grow(&mut self) {
        self.side += 1;
    }
}

impl FigureKind for Dot {
    fn area(&self) -> u8 {
        0
    }

    fn grow(&mut self) {}
}

crate::tagged! {
    /// A figure that is drawn.
    #[derive(Debug, PartialEq, Serialize)]
    struct Drawn {
        /// Which.
        figure: Figure,
        /// Its colour.
        colour: Option<String>,
        /// How wide its line is.
        width: Option<u8>,
        /// A key that is common to all kinds.
        label: Option<String>,
    }
}

#[test]
fn a_kind_is_reached_through_its_trait_also_in_a_box() {
    for (text, before, after) in [
        (r#"{"type":"boxed-square","side":2}"#, 4, 9),
        (r#"{"type":"plain","side":3}"#, 9, 16),
        (r#"{"type":"dot"}"#, 0, 0),
    ] {
        let mut figure: Figure = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&figure).unwrap(), text);
        assert_eq!(figure.as_kind().area(), before);
        figure.as_kind_mut().grow();
        assert_eq!(figure.as_kind().area(), after);
    }
}

#[test]
fn common_keys_are_read_from_among_the_kinds_own_in_any_order() {
    let drawn = Drawn {
        figure: Figure::BoxedSquare(Box::new(Area { side: 2 })),
        colour: Some("red".into()),
        width: None,
        label: Some("a".into()),
    };
    let written = r#"{"type":"boxed-square","side":2,"colour":"red","label":"a"}"#;
    assert_eq!(serde_json::to_string(&drawn).unwrap(), written);
    for text in [
        written,
        r#"{"type":"boxed-square","label":"a","side":2,"width":null,"colour":"red"}"#,
        r#"{"colour":"red","side":2,"type":"boxed-square","label":"a"}"#,
        r#"{"label":"a","colour":"red","side":2,"type":"boxed-square"}"#,
    ] {
        assert_eq!(serde_json::from_str::<Drawn>(text).unwrap(), drawn, "{text}");
    }
    let dot: Drawn = serde_json::from_str(r#"{"label":"a","type":"dot"}"#).unwrap();
    assert_eq!((dot.label.as_deref(), dot.colour), (Some("a"), None));
}

#[test]
fn a_wrong_table_with_common_keys_is_refused_and_all_known_keys_are_named() {
    for (text, why) in [
        (r#"{"type":"circle","label":"a"}"#, "unknown variant `circle`"),
        (
            r#"{"type":"plain","lable":"a","side":2}"#,
            "unknown field `lable`, expected one of `side`, `colour`, `width`, `label`",
        ),
        (r#"{"type":"dot","colour":"red"}"#, "unknown field `colour`, expected `label`"),
        (r#"{"colour":"red","type":"dot"}"#, "unknown field `colour`, expected `label`"),
        (r#"{"type":"plain","label":"a"}"#, "missing field `side`"),
        (r#"{"type":"plain","side":2,"width":"x"}"#, "invalid type: string \"x\", expected u8"),
        (r#"{"type":"plain","side":2,"label":"a","label":"b"}"#, "duplicate field `label`"),
        (r#"{"label":"a"}"#, "missing field `type`"),
        ("3", "expected a figure"),
    ] {
        let error = serde_json::from_str::<Drawn>(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    // Where `type` comes first, a value is blamed on its own place.
    let text = "{\"type\":\"plain\",\n\"side\":2,\n\"width\":\"x\"}";
    assert_eq!(serde_json::from_str::<Drawn>(text).unwrap_err().line(), 3);
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_of_each_kind_has_the_common_keys_that_it_takes() {
    let schema = schemars::schema_for!(Drawn).to_value();
    assert_eq!(schema["title"], "Drawn");
    let mut keys = Vec::new();
    for kind in schema["oneOf"].as_array().unwrap() {
        assert_eq!(kind["additionalProperties"], false, "{kind:#}");
        let properties = kind["properties"].as_object().unwrap();
        let mut names: Vec<_> = properties.keys().map(String::as_str).collect();
        names.sort_unstable();
        keys.push((properties["type"]["const"].as_str().unwrap(), names));
        assert_eq!(properties["label"]["description"], "A key that is common to all kinds.");
    }
    let area = vec!["colour", "label", "side", "type", "width"];
    assert_eq!(
        keys,
        [("boxed-square", area.clone()), ("dot", vec!["label", "type"]), ("plain", area)]
    );
}
