//! The description as a page: plain HTML made here, no script, nothing from elsewhere.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Nothing may run in the page, nothing may be loaded into it, nobody may frame it; its own style is known by its hash.
pub const POLICY: &str = concat!(
    "default-src 'none'; style-src 'sha256-",
    "JzOzakH6qbCLthPj06jUXJnBZCsdq8zVZ8/08obqVIM=",
    "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
);

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn of(document: &Value) -> String {
    let info = &document["info"];
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{0} API</title><style>{STYLE}</style><body><h1>{0} API <small>{1}</small></h1><p>{2}</p><p>The same for programs: <a href=\"/api/openapi.json\">openapi.json</a></p>",
        text(&info["title"]),
        text(&info["version"]),
        text(&info["description"])
    );
    let mut topics: BTreeMap<&str, String> = BTreeMap::new();
    for (path, calls) in members(&document["paths"]) {
        for (method, call) in members(calls) {
            let topic = topics.entry(call["tags"][0].as_str().unwrap_or("other"));
            topic.or_default().push_str(&of_call(path, method, call));
        }
    }
    for (topic, calls) in topics {
        let _ = write!(page, "<h2 id=\"{0}\">{0}</h2>{calls}", escape(topic)); // writing to a String cannot fail
    }
    page.push_str("<h2>shapes</h2>");
    for (name, shape) in members(&document["components"]["schemas"]) {
        let pretty = serde_json::to_string_pretty(shape).unwrap_or_default();
        let (name, pretty) = (escape(name), escape(&pretty));
        let _ = write!(
            page,
            "<details id=\"{name}\"><summary>{name}</summary><pre>{pretty}</pre></details>"
        ); // the same
    }
    page
}

fn of_call(path: &str, method: &str, call: &Value) -> String {
    let mut html = format!(
        "<details><summary><b>{}</b> <code>{}</code> {}</summary><p>{}</p>",
        escape(&method.to_uppercase()),
        escape(path),
        text(&call["summary"]),
        text(&call["description"])
    );
    let inputs = call["parameters"].as_array().into_iter().flatten();
    html.push_str("<dl>");
    for input in inputs {
        let _ = write!(
            html,
            "<dt><code>{}</code> <small>{}{}</small><dd>{}",
            text(&input["name"]),
            text(&input["in"]),
            if input["required"] == true {
                ""
            } else {
                ", optional"
            },
            text(&input["description"])
        ); // the same
    }
    for (kind, content) in members(&call["requestBody"]["content"]) {
        let _ = write!(
            html,
            "<dt>body <small>{}</small><dd>{}",
            escape(kind),
            shape(&content["schema"])
        ); // the same
    }
    for (status, answer) in members(&call["responses"]) {
        let shapes: Vec<String> = members(&answer["content"])
            .map(|(_, c)| shape(&c["schema"]))
            .collect();
        let _ = write!(
            html,
            "<dt>{} <small>{}</small><dd>{}",
            escape(status),
            shapes.join(" "),
            text(&answer["description"])
        ); // the same
    }
    html + "</dl></details>"
}

/// The name of a shape, as a link to it.
fn shape(schema: &Value) -> String {
    let schema = if schema["items"].is_object() {
        &schema["items"]
    } else {
        schema
    };
    match schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        Some(name) => format!("<a href=\"#{0}\">{0}</a>", escape(name)),
        None => text(&schema["type"]),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_description_says_cannot_become_markup() {
        let call = json!({ "tags": ["a"], "summary": "<script>", "responses": { "200": { "description": "\"&" } } });
        let page = of(&json!({ "info": { "title": "<b>" }, "paths": { "/<x>": { "get": call } } }));
        assert!(
            !page.contains("<script>") && !page.contains("<b>&lt") && !page.contains("/<x>"),
            "{page}"
        );
        assert!(
            page.contains("&lt;script&gt;") && page.contains("&quot;&amp;"),
            "{page}"
        );
    }
}
