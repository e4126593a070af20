// Keeps the files of the page, so that the installed page opens and says so where the server does not run. Only these files
// are kept: never an upload, a result, a picture of the camera, or a token.

const CACHE = "streamdeblur";
const SHELL = [
  "/", "/page.css", "/page.js", "/camera.js", "/clip.js", "/comparison.js", "/files.js", "/queue.js", "/requests.js", "/icon.svg",
];

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)));
});
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

// The server comes first, so that its page is never older than itself.
addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname, origin } = new URL(request.url);
  const isShell = origin === location.origin && SHELL.includes(pathname);
  if (isShell && request.method === "GET") event.respondWith(fromServerOrKept(request, pathname));
});

async function fromServerOrKept(request, pathname) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(pathname, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(pathname);
    if (kept) return kept;
    throw error;
  }
}
