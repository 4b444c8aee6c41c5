// Names of people who are there, beneath a field for a name, as it is being typed.

import { ask } from "./api.js";

const PAUSE = 200; // milliseconds without a key
const MOST = 20;

/** @param {HTMLInputElement} field whose `list` is filled; several fields may share one */
export function suggestsNames(field) {
  let waiting;
  const suggest = () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => fill(field.list, await namesFrom(field.value)), PAUSE);
  };
  field.addEventListener("input", suggest);
  field.addEventListener("focus", suggest);
}

async function namesFrom(prefix) {
  try {
    const { people } = await ask("GET", "people", { query: { prefix, limit: MOST } });
    return people.map((each) => each.name);
  } catch {
    return []; // whoever enrols is told what is wrong
  }
}

function fill(list, names) {
  list?.replaceChildren(...names.map((name) => {
    const option = document.createElement("option");
    option.value = name;
    return option;
  }));
}
