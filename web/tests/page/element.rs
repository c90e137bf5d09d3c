//! One element of a page: pressed where a reader would press, read as a screen reader reads it.

use serde_json::{Value, json};

use crate::tab::Tab;

/// An element, found by [`Tab::by`].
pub struct Element<'t> {
    pub tab: &'t Tab,
    pub node: u64,
}

impl Element<'_> {
    /// Clicks into its middle.
    pub fn click(&self) {
        let line = &self.tab.line;
        line.call("DOM.scrollIntoViewIfNeeded", json!({ "backendNodeId": self.node }));
        let quads = line.call("DOM.getContentQuads", json!({ "backendNodeId": self.node }));
        let corners: Vec<f64> = quads["quads"][0].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        assert_eq!(corners.len(), 8, "it has no place on the page");
        let middle = |axis: usize| corners[axis..].iter().step_by(2).sum::<f64>() / 4.0;
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": middle(0), "y": middle(1), "button": button, "clickCount": 1 });
            line.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Gives it the focus.
    pub fn focus(&self) {
        self.tab.line.call("DOM.focus", json!({ "backendNodeId": self.node }));
    }

    /// Presses a key on it.
    pub fn press(&self, key: &str) {
        self.focus();
        self.tab.press(key);
    }

    /// Replaces what is in a text or number field.
    pub fn write(&self, text: &str) {
        self.focus();
        self.call("function() { this.select() }");
        self.tab.write(text);
    }

    /// Moves a slider, or chooses in a list, as the reader's hand does: with the events that come of it.
    pub fn set(&self, value: &str) {
        let value = json!(value);
        self.call(&format!(
            "function() {{ this.value = {value}; for (const kind of ['input', 'change']) \
             this.dispatchEvent(new Event(kind, {{ bubbles: true }})); }}"
        ));
    }

    /// Its text; its spaces may all break.
    pub fn text(&self) -> String {
        text(&self.call("function() { return this.innerText ?? this.textContent }"))
    }

    /// The value of a slider, a field or a list.
    pub fn value(&self) -> String {
        text(&self.call("function() { return String(this.value ?? '') }"))
    }

    /// One of its attributes; empty if it has none.
    pub fn attribute(&self, name: &str) -> String {
        text(&self.call(&format!("function() {{ return this.getAttribute({}) ?? '' }}", json!(name))))
    }

    /// Whether it is switched on: `aria-pressed`, `aria-checked` or `checked`.
    pub fn is_on(&self) -> bool {
        let on = "function() { return this.checked ?? (this.ariaPressed ?? this.ariaChecked) === 'true' }";
        self.call(on) == true
    }

    /// Whether the focus is on it.
    pub fn has_focus(&self) -> bool {
        self.call("function() { return this === document.activeElement }") == true
    }

    /// What a JavaScript function returns whose `this` is the element.
    pub fn call(&self, function: &str) -> Value {
        let object = self.tab.line.call("DOM.resolveNode", json!({ "backendNodeId": self.node }));
        let id = &object["object"]["objectId"];
        let params = json!({ "objectId": id, "functionDeclaration": function, "returnByValue": true });
        let mut done = self.tab.line.call("Runtime.callFunctionOn", params);
        assert!(done["exceptionDetails"].is_null(), "{function}: {:#}", done["exceptionDetails"]);
        done["result"]["value"].take()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('\u{a0}', " ")
}
