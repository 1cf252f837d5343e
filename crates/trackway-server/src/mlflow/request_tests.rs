use super::*;
use serde_json::json;

fn body(value: &Value) -> Decoded {
    Decoded::from_body(value.to_string().as_bytes()).unwrap()
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().message
}

#[test]
fn fields_have_two_names_but_not_at_once() {
    let request = body(&json!({"runId": "a", "max_results": "7", "maxResults": 8}));
    assert_eq!(request.fields().text("run_id"), Ok(Some("a")));
    assert_eq!(request.fields().run_id(), Ok("a"));
    let both = message(request.fields().int("max_results"));
    assert_eq!(both, "Request specifies both 'max_results' and 'maxResults'; provide only one of them.");
    let query = Decoded::from_query("runId=a&run_uuid=b");
    assert_eq!(query.fields().run_id(), Ok("b"), "a query has proto names only");
}

#[test]
fn whole_numbers_come_as_numbers_or_text() {
    let request =
        body(&json!({"a": 7, "b": "-7", "c": 7.0, "d": 7.5, "e": true, "f": 1e300, "g": "x", "h": null, "i": ""}));
    let fields = request.fields();
    assert_eq!((fields.int("a"), fields.int("b"), fields.int("c")), (Ok(Some(7)), Ok(Some(-7)), Ok(Some(7))));
    for bad in ["d", "e", "f", "g"] {
        assert!(fields.int(bad).is_err(), "{bad}");
    }
    assert_eq!((fields.int("h"), fields.int("z")), (Ok(None), Ok(None)));
    assert_eq!((fields.is_blank("i"), fields.is_blank("a"), fields.is_blank("z")), (Ok(true), Ok(false), Ok(false)));
    let edges = body(&json!({"min": i64::MIN, "max": i64::MAX, "over": 9_223_372_036_854_775_808_u64}));
    assert_eq!(edges.fields().int("min"), Ok(Some(i64::MIN)));
    assert_eq!(edges.fields().int("max"), Ok(Some(i64::MAX)));
    assert!(edges.fields().int("over").is_err());
}

#[test]
fn doubles_know_one_spelling_of_nan() {
    let request = body(&json!({"a": "NaN", "b": "-Infinity", "c": "nan", "d": "0.5", "e": 1, "f": "", "g": [1.0]}));
    let fields = request.fields();
    assert!(fields.double("a").unwrap().unwrap().is_nan());
    assert_eq!(fields.double("b"), Ok(Some(f64::NEG_INFINITY)));
    assert_eq!((fields.double("d"), fields.double("e")), (Ok(Some(0.5)), Ok(Some(1.0))));
    assert!(fields.double("c").is_err() && fields.double("g").is_err());
    assert!(fields.double("f").is_err());
}

#[test]
fn doubles_keep_every_bit() {
    for text in ["0.1", "2.2250738585072011e-308", "5e-324", "9007199254740993", "0.30000000000000004"] {
        let request = Decoded::from_body(format!("{{\"v\":{text}}}").as_bytes()).unwrap();
        let read = request.fields().double("v").unwrap().unwrap();
        assert_eq!(read.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
    }
}

#[test]
fn errors_are_mlflows() {
    let request = body(&json!({"name": 5, "key": "", "tags": {"a": "\u{e9}"}}));
    let fields = request.fields();
    assert_eq!(
        message(fields.text("name")),
        "Invalid value 5 for parameter 'name' supplied:  Hint: Value was of type 'int'. \
         See the API docs for more information about request parameters."
    );
    assert_eq!(
        message(fields.required_text("key")),
        "Missing value for required parameter 'key'. See the API docs for more information about request parameters."
    );
    assert!(message(fields.list("tags")).starts_with(r#"Invalid value {"a":"\u00e9"} for parameter 'tags'"#));
}

#[test]
fn a_query_repeats_names_for_lists_and_bodies_may_be_doubly_encoded() {
    let query = Decoded::from_query("run_ids=a&run_ids=b&one=x&flag=TRUE&odd=%E9%AB%98+%2B&n=1&n=2");
    let fields = query.fields();
    assert_eq!(fields.texts("run_ids"), Ok(vec!["a", "b"]));
    assert_eq!(fields.texts("one"), Ok(vec!["x"]));
    assert_eq!(fields.boolean("flag"), Ok(Some(true)));
    assert_eq!(fields.text("odd"), Ok(Some("\u{9ad8} +")));
    assert_eq!(fields.int("n"), Ok(Some(1)), "the first one counts");
    let doubly = Decoded::from_body(br#""{\"run_id\": \"a\"}""#).unwrap();
    assert_eq!(doubly.fields().run_id(), Ok("a"));
}

#[test]
fn what_is_no_object_is_empty_and_what_is_huge_is_refused() {
    for text in ["", "{", "[1]", "null", "7", "{\"a\": NaN}", "\u{0}"] {
        let decoded = Decoded::from_body(text.as_bytes()).unwrap();
        assert!(decoded.fields().required_text("a").is_err(), "{text:?}");
    }
    let deep = "[".repeat(100_000);
    assert!(Decoded::from_body(deep.as_bytes()).unwrap().object.is_empty());
    let wide = format!("{{\"a\":[{}0]}}", "0,".repeat(BODY_VALUES));
    assert_eq!(Decoded::from_body(wide.as_bytes()).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let text = format!("{{\"a\":\"{}\"}}", ",".repeat(BODY_VALUES));
    assert!(Decoded::from_body(text.as_bytes()).is_ok(), "commas in a text are no values");
}

#[test]
fn choices_are_names_or_numbers() {
    let values = [("ACTIVE_ONLY", 1, 'a'), ("ALL", 3, 'b')];
    let request = body(&json!({"a": "ALL", "b": 1, "c": "BOGUS", "d": 9}));
    let fields = request.fields();
    assert_eq!((fields.choice("a", &values), fields.choice("b", &values)), (Ok(Some('b')), Ok(Some('a'))));
    assert_eq!((fields.choice("c", &values), fields.choice("d", &values)), (Ok(None), Ok(None)));
}
