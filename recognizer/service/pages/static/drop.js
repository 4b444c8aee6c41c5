// A place that takes files: dropped, chosen, or pasted.

/**
 * @param {HTMLElement} place an element with class "drop" that holds an <input type="file">
 * @param {(files: File[]) => void} take called with what was given, never empty
 */
export function takesFiles(place, take) {
  const input = place.querySelector("input[type=file]");
  let inside = 0;
  const give = (files) => { if (files.length) take([...files]); };
  const mark = (by) => { inside = Math.max(0, inside + by); place.classList.toggle("over", inside > 0); };
  const chosen = () => { give(input.files); input.value = ""; };
  input.addEventListener("change", chosen);
  setTimeout(chosen); // what was chosen before this script was there
  place.addEventListener("dragenter", () => mark(1));
  place.addEventListener("dragleave", () => mark(-1));
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-inside);
    give(event.dataTransfer.files);
  });
  place.addEventListener("paste", (event) => give(event.clipboardData.files));
}
