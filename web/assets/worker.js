// The worker's entry: the whole library runs here, so that the page never waits for it.
import init, { handle } from "./worker/worker.js";

// Not awaited out here: messages that arrive meanwhile would be lost.
const ready = init();
onmessage = async event => {
  try {
    await ready;
    await handle(event.data, (...sent) => postMessage(...sent));
  } catch (reason) {
    // Reaches the page as the worker's "error"; a rejection would reach nobody.
    reportError(reason);
  }
};
