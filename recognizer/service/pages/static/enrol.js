// Photos of a person to the service, and what it says of them.

import { ask, photosOf, Refused } from "./api.js";

/**
 * @param {string} name somebody new, or who is there and gets more photos
 * @param {File[]} files
 * @param {string} key the same for what is sent again, see "Sending a write again" in docs/people-and-jobs.md
 * @returns {Promise<object>} the enrolment; throws Refused
 */
export function enrol(name, files, key) {
  const headers = { "Idempotency-Key": key };
  // Browsers take these two for folders, encoded or not.
  if (name === "." || name === "..") return ask("POST", "people", { body: photosOf(files, { name }), headers });
  return ask("POST", `people/${encodeURIComponent(name)}/photos`, { body: photosOf(files), headers });
}

/** A key for a write that may be sent again. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, "0")).join("");
}

/** Why a photo was not enrolled, in a sentence. */
export function reasonOf(error) {
  if (!(error instanceof Refused)) return error.message;
  const [first] = error.details.refused ?? [];
  return first ? sentence(first.reason) : error.message;
}

/** What was done, with what is doubtful of it. */
export function outcomeOf({ person, notes }) {
  const count = person.photos === 1 ? "a new person, with one photo" : `who has ${person.photos} photos now`;
  return [`Enrolled: ${person.name}, ${count}.`, ...notes.map((note) => sentence(note.reason))].join(" ");
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
