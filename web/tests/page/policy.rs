//! The Content-Security-Policy holds: nothing is run, styled or fetched that is not the page's own.

use serde_json::json;

use crate::tab::Tab;

/// What the page's policy objects to while `action` runs.
fn objections(tab: &Tab, action: &str) -> String {
    let watched = format!(
        "new Promise(done => {{ addEventListener('securitypolicyviolation', \
         event => done(event.effectiveDirective), {{ once: true }}); setTimeout(() => done(''), 3000); {action} }})"
    );
    tab.run(&watched).as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_is_not_the_pages_own_is_refused() {
    let tab = Tab::of("");
    tab.forgive();
    for (directive, action) in [
        ("script-src-elem", "document.body.append(Object.assign(document.createElement('script'), { text: '0' }))"),
        ("style-src-attr", "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')"),
        ("style-src-elem", "document.body.insertAdjacentHTML('beforeend', '<style>p { color: red }</style>')"),
        ("img-src", "new Image().src = 'http://127.0.0.1:9/x.png'"),
        ("connect-src", "fetch('http://127.0.0.1:9/').catch(() => {})"),
        ("worker-src", "new Worker(URL.createObjectURL(new Blob([''])))"),
        ("frame-src", "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"http://127.0.0.1:9/\"></iframe>')"),
    ] {
        assert_eq!(objections(&tab, action), directive);
    }
    assert!(tab.requests().iter().all(|url| !url.contains(":9/")), "{:?}", tab.requests());
}

#[test]
fn no_text_becomes_a_program() {
    let tab = Tab::of("");
    tab.forgive();
    // DevTools would run it all the same, unless told otherwise.
    let eval = json!({ "expression": "eval('1')", "allowUnsafeEvalBlockedByCSP": false });
    let refused = tab.line.call("Runtime.evaluate", eval);
    assert!(refused["exceptionDetails"].to_string().contains("EvalError"), "{refused}");
}

#[test]
fn workers_have_the_policy_by_header() {
    let tab = Tab::of("");
    let policy = "fetch('loader.js').then(answer => answer.headers.get('content-security-policy'))";
    assert_eq!(tab.run(policy), slimgpt_web::site::POLICY);
    let meta = "document.querySelector('meta[http-equiv=Content-Security-Policy]').content";
    assert_eq!(tab.run(meta), slimgpt_web::site::POLICY);
}
