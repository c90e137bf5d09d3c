// Starts the window on its canvas, or says why it cannot.
import init, { start } from "./window.js";

init().then(() => start("window")).catch(reason => {
  document.getElementById("reason").textContent = String(reason?.message ?? reason);
  document.getElementById("trouble").hidden = false;
  document.getElementById("window").hidden = true;
});
