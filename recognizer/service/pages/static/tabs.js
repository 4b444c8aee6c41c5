// Tabs: buttons with role="tab", of which one is selected; each shows the part of the page that aria-controls names.

/**
 * @param {HTMLElement} list the element with role="tablist"
 * @param {(part: HTMLElement) => void} shown called with each part that comes into view
 * @returns {(part: string) => void} shows the part of that id
 */
export function tabs(list, shown) {
  const buttons = [...list.querySelectorAll("[role=tab]")];
  const partOf = (button) => document.getElementById(button.getAttribute("aria-controls"));
  const select = (chosen) => {
    for (const button of buttons) {
      button.setAttribute("aria-selected", button === chosen);
      button.tabIndex = button === chosen ? 0 : -1;
      partOf(button).hidden = button !== chosen;
    }
    shown(partOf(chosen));
  };
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[role=tab]");
    if (button) select(button);
  });
  list.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    const at = buttons.indexOf(document.activeElement);
    const next = buttons[(at + steps[event.key] + buttons.length) % buttons.length];
    event.preventDefault();
    next.focus();
    select(next);
  });
  return (part) => {
    const button = buttons.find((each) => partOf(each).id === part);
    if (button) select(button);
  };
}
