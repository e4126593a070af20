// Requests to the server. Their errors have messages for the user.

// Returns the successful response. Throws an Error, or an AbortError if the signal was aborted meanwhile.
export async function post(path, { headers, body, signal }) {
  const response = await fetch(path, { method: "POST", headers, body, signal }).catch((error) => {
    throw lost(error, signal);
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `The server responded with status ${response.status}.`);
}

// Returns what `read` makes of a response whose content may still be on its way.
export async function content(read, signal) {
  try {
    return await read();
  } catch (error) {
    throw lost(error, signal);
  }
}

function lost(error, signal) {
  return signal && signal.aborted ? error : new Error("The server does not respond. Is streamdeblur still running?");
}
