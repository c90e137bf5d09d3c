// Brings the lessons to life. Their text stands in the document already and stays if this fails.
const page = document.getElementById("page");
const text = page.cloneNode(true);

// A module that has failed once answers nothing any more: its text takes its place again.
function fail(reason) {
  const trouble = document.getElementById("trouble");
  if (!trouble.hidden) return;
  document.getElementById("reason").textContent = String(reason?.message ?? reason);
  trouble.hidden = false;
  page.isEqualNode(text) || page.replaceWith(text);
  document.documentElement.dataset.state = "failed";
}
// What a browser's extensions throw is none of ours.
const failIfOurs = reason => reason?.name === "RuntimeError" && fail(reason);
addEventListener("error", event => failIfOurs(event.error));
addEventListener("unhandledrejection", event => failIfOurs(event.reason));

try {
  const lessons = await import("./page/page.js");
  await lessons.default();
  lessons.mount();
  performance.mark("ready");
  document.documentElement.dataset.state = "ready";
} catch (reason) {
  fail(reason);
}

// The page works without it, only not without a network.
navigator.serviceWorker?.register(new URL("sw.js", import.meta.url)).then(kept => kept.update()).catch(() => {});
