// A click on a time of the timeline shows the video there.

const copy = document.getElementById("copy");

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-seek]");
  if (!button || !copy) return;
  copy.currentTime = Number(button.dataset.seek);
  copy.play();
  copy.scrollIntoView({ block: "nearest" });
});
