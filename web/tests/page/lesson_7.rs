//! How far do errors travel?

use crate::tab::Tab;

#[test]
fn what_is_cut_first_grows_towards_the_end() {
    let tab = Tab::of("#lesson-7");
    // The report's figures bring their own style; without it a curve is a black area.
    let style = "getComputedStyle(document.querySelector('#lesson-7 polyline'))";
    assert_eq!(tab.run(&format!("{style}.fill + ' ' + {style}.strokeWidth")), "none 2px");
    for ratio in ["75.0", "25.0"] {
        tab.by("radio", &format!("{ratio} %")).click();
        tab.says(&format!("Only the first layer lost {ratio} %."));
    }
}

#[test]
fn a_curve_of_the_readers_is_held_against_the_logarithmic_one() {
    let tab = Tab::of("#lesson-7");
    tab.by("slider", "Layer 0").set("0.05");
    tab.by("button", "Prune by the logarithmic curve and by yours").click();
    let told = "document.querySelector('#lesson-7').innerText.includes('Yours has perplexity')";
    tab.wait_long(told);
    // Whatever moves afterwards is no longer what was measured.
    tab.by("slider", "Layer 1").set("0.8");
    tab.says("Your curve has changed since it was pruned by");
}
