// Requests to the server. Their errors have messages for the user.

const LOST = "The server does not respond. Is streamdeblur still running?";

// Returns the successful response. Throws an Error, or an AbortError if the signal was aborted meanwhile.
export async function request(path, { method = "GET", headers, body, signal } = {}) {
  const response = await fetch(path, { method, headers, body, signal }).catch((error) => {
    throw lost(error, signal);
  });
  if (response.ok) return response;
  throw refused(response.status, await response.text().catch(() => ""));
}

// Returns what `read` makes of a response whose content may still be on its way.
export async function content(read, signal) {
  try {
    return await read();
  } catch (error) {
    throw lost(error, signal);
  }
}

// Sends a file and returns { blob, header }: the content of the response, and a function that returns a header of it. `fetch`
// does not tell how much of a file was sent; onSent is called with a share of 0 to 1. Throws as `request`.
export function upload(path, { headers, body, signal, onSent }) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", path);
    sending.responseType = "blob";
    Object.entries(headers).forEach(([name, value]) => sending.setRequestHeader(name, value));
    sending.upload.addEventListener("progress", (event) => onSent(event.loaded / event.total));
    sending.addEventListener("error", () => reject(new Error(LOST)));
    sending.addEventListener("abort", () => reject(signal.reason));
    sending.addEventListener("load", async () => {
      const { status, response } = sending;
      if (status === 200) resolve({ blob: response, header: (name) => sending.getResponseHeader(name) });
      else reject(refused(status, await response.text()));
    });
    signal.addEventListener("abort", () => sending.abort());
    sending.send(body);
  });
}

function refused(status, text) {
  try {
    return new Error(JSON.parse(text).error || "");
  } catch {
    return new Error(`The server responded with status ${status}.`);
  }
}

function lost(error, signal) {
  return signal && signal.aborted ? error : new Error(LOST);
}
