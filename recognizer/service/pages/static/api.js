// Asks the REST routes, in the gallery of the page. The session's cookie goes with each request by itself.

export const gallery = document.body.dataset.gallery;

/** What the service refused, or that it could not be reached. `code` is one of docs/service.md, or "unreachable". */
export class Refused extends Error {
  constructor(status, { code, message, details }) {
    super(message);
    Object.assign(this, { status, code, details: details ?? {} });
  }
}

/**
 * @param {string} method such as "POST"
 * @param {string} path after /v1/, its parts percent-encoded
 * @param {{query?: object, body?: FormData | object, headers?: object, signal?: AbortSignal}} options
 * @returns what the answer's JSON holds; throws Refused
 */
export function ask(method, path, { query = {}, ...options } = {}) {
  return askAt(method, address(path, query), options);
}

/** The same at an address of ours that is not one of REST, see inGallery. */
export async function askAt(method, at, { body = null, headers = {}, signal } = {}) {
  const isForm = body instanceof FormData;
  const sent = { ...headers, ...(body && !isForm ? { "Content-Type": "application/json" } : {}) };
  let answer;
  try {
    answer = await fetch(at, {
      method, signal, headers: sent, body: body && !isForm ? JSON.stringify(body) : body,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { code: "unreachable", message: "The service cannot be reached. Is it running?" });
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  throw new Refused(answer.status, await told(answer));
}

/** The address of a REST route in the gallery of the page. */
export function address(path, query = {}) {
  return inGallery(`/v1/${path}`, query);
}

/** An address of this service in the gallery of the page. */
export function inGallery(path, query = {}) {
  const given = Object.entries({ ...(gallery ? { gallery } : {}), ...query }).filter(([, value]) => value != null);
  return `${path}?${new URLSearchParams(given)}`;
}

/** Files as the form that routes with photos take. */
export function photosOf(files, fields = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const file of files) form.append("photos", file, file.name || "camera.jpg");
  return form;
}

async function told(answer) {
  try {
    return await answer.json();
  } catch {
    return { code: "unreadable", message: `The service answered with ${answer.status}.` };
  }
}
