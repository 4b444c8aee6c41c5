// Forms that send one large file to a REST route, with a bar that shows how much of it is there.
//
//   <form data-upload="jobs/video" data-field="video" data-then="/video/">
//     an <input type="file">; what has data-query="NAME" goes into the address; data-part="NAME" fills {NAME} of the path
//
// When the job is asked for, the page of data-then and its number is shown.

import { address, gallery } from "./api.js";
import { notify } from "./notices.js";

for (const form of document.querySelectorAll("form[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

function send(form) {
  const file = form.querySelector("input[type=file]").files[0];
  const body = new FormData();
  body.append(form.dataset.field, file, file.name);
  const bar = barOf(form);
  const request = new XMLHttpRequest();  // fetch() does not tell how much was sent
  request.open("POST", pathOf(form));
  request.upload.addEventListener("progress", (event) => { bar.value = event.lengthComputable ? event.loaded / event.total : 0; });
  request.addEventListener("load", () => ended(form, bar, request));
  request.addEventListener("error", () => failed(form, bar, "The service cannot be reached, or it refused the file before all of it was sent."));
  form.querySelector("button").disabled = true;
  request.send(body);
}

function pathOf(form) {
  const query = Object.fromEntries(
    [...form.querySelectorAll("[data-query]")].map((field) => [field.dataset.query, valueOf(field)]).filter(([, value]) => value !== ""),
  );
  const parts = Object.fromEntries([...form.querySelectorAll("[data-part]")].map((field) => [field.dataset.part, field.value.trim()]));
  return address(form.dataset.upload.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts[name])), query);
}

function valueOf(field) {
  return field.type === "checkbox" ? String(field.checked) : field.value.trim();
}

function barOf(form) {
  const bar = form.querySelector("progress") ?? form.appendChild(document.createElement("progress"));
  bar.setAttribute("aria-label", "Sent so far");
  bar.max = 1;
  bar.value = 0;
  return bar;
}

function ended(form, bar, request) {
  let answer;
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    answer = { message: `The service answered with ${request.status}.` };
  }
  if (request.status >= 300) return failed(form, bar, answer.message);
  location.assign(`${form.dataset.then}${answer.id}${gallery ? `?gallery=${encodeURIComponent(gallery)}` : ""}`);
}

function failed(form, bar, words) {
  bar.remove();
  form.querySelector("button").disabled = false;
  notify(words, { wrong: true });
}
