// Keeps what was loaded for days without a network. Other builds, and other folders of this server,
// keep theirs under names of their own.
const OWN = `slimgpt ${registration.scope} `;
const BUILD = `${OWN}{build}`;
const FIRST = "{first}";

addEventListener("install", event => event.waitUntil(install()));
addEventListener("activate", event => event.waitUntil(activate()));
addEventListener("fetch", event => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event.request));
});

async function install() {
  const cache = await caches.open(BUILD);
  await cache.addAll(FIRST.map(name => new Request(name, { cache: "reload" })));
  await skipWaiting();
}

async function activate() {
  const others = (await caches.keys()).filter(name => name.startsWith(OWN) && name !== BUILD);
  await Promise.all(others.map(name => caches.delete(name)));
  await clients.claim();
}

// The reader's state stands in the query, which names no other file.
async function answer(request) {
  const address = request.url.split(/[?#]/)[0].replace(/\/$/, "/index.html");
  const cache = await caches.open(BUILD);
  const kept = await cache.match(address);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.status === 200) await cache.put(address, response.clone());
  return response;
}
