// Says what happened, in the live region of the page, where screen readers hear it.

const SECONDS = 8;

/**
 * @param {string} text what happened
 * @param {{wrong?: boolean, action?: {words: string, run: () => void}, seconds?: number}} options
 *   wrong: an error, which stays until it is closed; action: a button beside the text.
 */
export function notify(text, { wrong = false, action = null, seconds = SECONDS } = {}) {
  const notice = document.createElement("div");
  notice.className = wrong ? "notice wrong" : "notice";
  if (wrong) notice.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = text;
  notice.append(words);
  if (action) notice.append(button(action.words, () => { notice.remove(); action.run(); }));
  notice.append(button("Close", () => notice.remove()));
  document.getElementById("notices").append(notice);
  if (!wrong && !action) setTimeout(() => notice.remove(), seconds * 1000);
  return notice;
}

function button(words, run) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = words;
  made.addEventListener("click", run);
  return made;
}
